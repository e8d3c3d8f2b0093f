package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/harpia-go/harpia/shared"
)

// What the store takes of memory: the cache of blocks, that of entries (see
// hot), and up to queuedTables memtables of what was written last.
const (
	blockCache   = 16 << 20
	tableSize    = 4 << 20
	queuedTables = 4
	openTables   = 500
)

// Pebble makes writers wait, too, when this many memtables are queued, or as
// many tables would have to be read: never, since who waits there for what the
// disk has no room for waits for ever. See backlog.
const neverTables = 1000

// keyLocks is how many writes can be between reading and writing at a time.
const keyLocks = 256

// Configure opens the directory.
func (s *Store) Configure(ctx context.Context, set shared.Settings) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.life.Lock()
	defer s.life.Unlock()
	switch {
	case s.closed || s.closing.Load():
		return errClosed()
	case s.db != nil:
		return errors.New("file: the store is configured already")
	}
	c, err := readConfig(set)
	if err != nil {
		return err
	}
	if s.clock == nil {
		s.clock = wallClock{}
	}
	below := s.fs
	if below == nil {
		below = vfs.Default
	}
	if err := s.open(below, c); err != nil {
		s.db = nil
		return err
	}
	return nil
}

func (s *Store) open(below vfs.FS, c config) (err error) {
	if err := supported(); err != nil {
		return err
	}
	s.bound = nil // of an attempt that failed
	if c.dir, err = prepareDir(c.dir); err != nil {
		return err
	}
	lock, err := lockDir(c.dir)
	if err != nil {
		return unusable(c.dir, err)
	}
	s.lock = lock
	undo := []func() error{lock.Close}
	defer func() {
		if err != nil {
			for i := len(undo) - 1; i >= 0; i-- {
				err = errors.Join(err, undo[i]())
			}
		}
	}()
	if err := makeDir(below, c.dir); err != nil {
		return unusable(c.dir, err)
	}
	if err := s.makeRoom(below, c); err != nil {
		return err
	}
	boot := s.boot()
	m, exists, err := readMarks(below, c.dir)
	switch {
	case err != nil:
	case exists:
		m, err = verify(below, c.dir, m, boot)
	default:
		err = verifyNew(below, c.dir)
	}
	if err != nil {
		return unreadable(c.dir, err)
	}
	mark, err := openWatermark(below, c.dir, m, boot)
	if err != nil {
		return unusable(c.dir, err)
	}
	undo = append(undo, mark.close)

	s.health = &health{dir: c.dir}
	s.files = &files{
		FS: vfs.OnDiskFull(below, s.room.ballast.release), below: below, dir: c.dir, mode: c.mode,
		mark: mark, room: s.room, health: s.health, void: vfs.NewMem(), wake: make(chan struct{}, 1),
	}
	if s.db, err = s.openPebble(c.dir, m.log != 0); err != nil {
		return unreadable(c.dir, err)
	}
	undo = append(undo, s.db.Close)
	stripes := keyLocks
	if c.maxBytes > 0 {
		stripes = 1
	}
	s.locks = newLocks(stripes)
	if s.hot, err = newHot(s.locks); err != nil {
		return err
	}
	undo = append(undo, s.hot.close)
	if err = s.openBound(c.maxBytes); err != nil {
		return unreadable(c.dir, err)
	}
	s.room.refresh()
	s.start(c)
	return nil
}

// start starts the goroutines that shut ends.
func (s *Store) start(c config) {
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	interval := time.Duration(0)
	if c.mode == syncInterval {
		interval = c.interval
	}
	s.workers.Go(func() { s.files.syncer(ctx, s.clock, interval) })
	s.workers.Go(func() { s.sweeper(ctx) })
}

// shut undoes open. No operation is under way.
func (s *Store) shut() error {
	s.stop()
	s.workers.Wait()
	s.writeOut()
	err := s.db.Close()
	if failure := s.health.failure(); failure != nil {
		err = failure
	}
	s.db = nil
	return errors.Join(err, s.hot.close(), s.files.mark.close(), s.lock.Close())
}

// writeOut leaves an empty log, so that the store opens faster. Nothing
// depends on it.
func (s *Store) writeOut() {
	if !s.written.Load() || s.writable() != nil || s.files.full.Load() || s.room.half() {
		return
	}
	written, err := s.db.AsyncFlush()
	if err != nil {
		slog.Warn("file: the log was left to be replayed", "error", err.Error())
		return
	}
	// Pebble tries for ever.
	for s.writable() == nil && !s.files.full.Load() {
		select {
		case <-written:
			return
		case <-time.After(lookAgain):
		}
	}
}

func (s *Store) boot() [36]byte {
	if s.bootID == "" {
		return bootID()
	}
	var id [36]byte
	copy(id[:], s.bootID)
	return id
}

// openPebble opens the tree, which must exist already if it was ever complete.
func (s *Store) openPebble(dir string, exists bool) (db *pebble.DB, err error) {
	defer func() {
		// Damage that pebble did not expect is an error here, not the end.
		if p := recover(); p != nil {
			db, err = nil, damaged("%v", p)
		}
	}()
	cache := pebble.NewCache(blockCache)
	defer cache.Unref()
	o := &pebble.Options{
		FS:                          s.files,
		Logger:                      pebbleLog{s.health},
		EventListener:               s.health.listener(&s.backlog),
		FormatMajorVersion:          pebble.FormatNewest,
		ErrorIfNotExists:            exists,
		Cache:                       cache,
		MemTableSize:                tableSize,
		MemTableStopWritesThreshold: neverTables,
		MaxOpenFiles:                openTables,
		L0StopWritesThreshold:       neverTables,
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	s.files.opening.Store(true)
	defer s.files.opening.Store(false)
	s.backlog.large = make(chan struct{}, 1)
	db, err = pebble.Open(dir, o)
	s.backlog.begun.Store(0)
	s.backlog.written.Store(0)
	if failure := s.health.failure(); failure != nil && err == nil {
		err, db = errors.Join(failure, db.Close()), nil
	}
	return db, err
}

// makeRoom sets up the reserve, and gives the ballast up for opening, which
// needs room itself, when less than the reserve is free.
func (s *Store) makeRoom(below vfs.FS, c config) error {
	b := newBallast(below, below.PathJoin(c.dir, "harpia.ballast"), c.reserve)
	s.room = newRoom(below, c.dir, c.reserve, b, s.backlog.bytes)
	free, err := s.room.look()
	if err != nil {
		return err
	}
	if total := s.room.total(); c.reserve > 0 && total-c.reserve <= b.size {
		return fmt.Errorf("%w: reserve: the whole file system of %s has %s, and %s with a quarter more are to be kept free: set a smaller one, such as reserve=%dMiB",
			shared.ErrSetting, c.dir, mib(total), mib(c.reserve), max(total/8>>20, 1))
	}
	if free < c.reserve {
		b.release()
	}
	return nil
}
