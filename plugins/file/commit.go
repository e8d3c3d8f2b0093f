package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/harpia-go/harpia/cache"
)

// update runs fn, which reads and writes keys and no others, as one atomic
// step, and returns once what it wrote is in the log as the sync mode demands.
// It writes about size bytes. An error of fn leaves everything as it was.
func (s *Store) update(ctx context.Context, keys []string, size int, fn func(*writer) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.writable(); err != nil {
		return err
	}
	done, err := s.awaitBacklog(ctx, size)
	if err != nil {
		return err
	}
	defer done()
	w := s.newWriter(size)
	err = func() error {
		var held []int
		w.keys = keys
		held, w.in = s.locks.acquire(keys)
		defer s.locks.release(held)
		w.now = s.clock.Now().UnixMilli()
		if err := fn(w); err != nil {
			return err
		}
		return w.apply(pebble.Sync)
	}()
	if err = w.finish(err); w.pending != nil || err != nil && !errors.Is(err, cache.ErrNotCounter) {
		return err
	}
	// Nothing was written, which says what the keys hold.
	for _, key := range keys {
		if unsettled := s.settle(ctx, key); unsettled != nil {
			return unsettled
		}
	}
	return err
}

// writable returns why no write can be taken now, if so.
func (s *Store) writable() error {
	if err := s.health.failure(); err != nil {
		return err
	}
	return s.files.stalling()
}

// writer collects the writes of one batch, under the locks of their keys.
type writer struct {
	s       *Store
	batch   *pebble.Batch
	now     int64         // Unix milliseconds
	due     int64         // the first that was written of the index of expiry
	keys    []string      // that it writes; none: all
	in      []int         // the buckets of these, which are locked
	pending *pendingWrite // nil: not applied

	// With max_bytes: how the live bytes change, and what may not be evicted.
	grow int64
	keep map[string]bool
}

// newWriter begins a batch of about size bytes.
func (s *Store) newWriter(size int) *writer {
	w := &writer{s: s}
	if size >= largeBatch {
		// Or it would grow by doubling.
		w.batch = s.db.NewBatchWithSize(size + size/8)
	} else {
		w.batch = s.db.NewBatch()
	}
	return w
}

// get returns the live record under key. Its value is good until release.
func (w *writer) get(key string) (r record, found bool, release func(), err error) {
	r, found, release, err = w.s.lookup(key)
	if found && r.expired(w.now) {
		release()
		return record{}, false, func() {}, nil
	}
	return r, found, release, err
}

// set writes value under key. An expires that has passed removes the key.
func (w *writer) set(key string, value []byte, expires int64) error {
	r := record{expires: expires, value: value}
	if r.expired(w.now) {
		return w.remove(key)
	}
	if err := w.s.room.admit(r.size(key)); err != nil {
		return err
	}
	if w.s.bound != nil {
		var err error
		if r.age, err = w.s.bound.replace(w, key, r.size(key)); err != nil {
			return err
		}
	} else {
		r.age = w.s.clock.Now().UnixNano()
	}
	op := w.batch.SetDeferred(1+len(key), recordHeader+len(value))
	op.Key[0] = spaceEntry
	copy(op.Key[1:], key)
	r.put(op.Value)
	if err := op.Finish(); err != nil {
		return err
	}
	if expires == 0 {
		return nil
	}
	at := due(w.now, expires)
	if w.due == 0 || at < w.due {
		w.due = at
	}
	return w.batch.Set(indexKey(spaceDue, at, key), nil, nil)
}

// remove removes key, which may hold nothing. It needs no free space to speak
// of, so the reserve does not stop it.
func (w *writer) remove(key string) error {
	if w.s.bound != nil {
		if err := w.s.bound.forget(w, key); err != nil {
			return err
		}
	}
	w.s.garbage.add(guessedSize)
	return w.batch.Delete(entryKey(key), nil)
}

// apply makes the writes visible, all at once.
func (w *writer) apply(opts *pebble.WriteOptions) error {
	if w.batch.Empty() {
		return nil
	}
	// The log may have come to be behind while this waited for its locks.
	if err := w.s.writable(); err != nil {
		return err
	}
	losses := w.s.files.losses.Load()
	w.s.written.Store(true)
	if w.s.bound != nil {
		if err := w.s.bound.makeRoom(w); err != nil {
			return err
		}
	}
	var err error
	if opts.Sync {
		p := &pendingWrite{keys: w.keys, in: w.in, losses: losses}
		w.s.pending.begin(p)
		if err = w.s.db.ApplyNoSyncWait(w.batch, opts); err == nil {
			w.pending = p
		} else {
			w.s.pending.end(p, true)
		}
	} else {
		err = w.s.db.Apply(w.batch, opts)
	}
	if err != nil {
		return err
	}
	if w.batch.Empty() {
		// Pebble kept its content, in place of a memtable.
		w.s.backlog.begun.Add(1)
		w.s.backlog.heavy.Store(true)
	}
	if w.s.bound != nil {
		w.s.bound.live += w.grow
	}
	if w.due != 0 {
		w.s.expiry.lower(w.due)
	}
	return nil
}

// finish waits until what was applied is in the log. It holds no lock.
func (w *writer) finish(err error) error {
	if w.pending == nil {
		return wrap(errors.Join(err, w.batch.Close()))
	}
	unknown := w.sync()
	w.s.pending.end(w.pending, unknown == nil)
	err = errors.Join(err, w.batch.Close())
	if err == nil && unknown != nil {
		err = fmt.Errorf("%w (whether this write is kept is unknown)", unknown)
	}
	return wrap(err)
}

// sync returns nil once what was applied is in the log.
func (w *writer) sync() error {
	if err := w.batch.SyncWait(); err != nil {
		return err
	}
	// It is in the memtable that is written now, or in one before.
	w.pending.tables = w.s.backlog.begun.Load() + 1
	// The log never fails in the eyes of pebble: see logFile.
	if err := w.s.writable(); err != nil {
		return err
	}
	if w.pending.losses != w.s.files.losses.Load() {
		return fmt.Errorf("file: the disk was full: make room under %s: %w", w.s.files.dir, cache.ErrUnavailable)
	}
	return nil
}

// wrap gives an error of pebble the identity that callers test for.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{
		cache.ErrUnavailable, cache.ErrClosed, cache.ErrTooLarge, cache.ErrInvalidKey, cache.ErrNotCounter,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	if pebble.IsCorruptionError(err) {
		return isDamaged("", err)
	}
	return fmt.Errorf("file: %w: %w", cache.ErrUnavailable, err)
}
