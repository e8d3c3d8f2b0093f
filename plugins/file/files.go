package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/harpia-go/harpia/cache"
)

// files is the file system that pebble works on. Pebble ends the process when
// its log or its manifest cannot be written, so here such an error is never
// returned to it:
//
//   - When the disk is full, what else is written waits for room; the log does
//     not wait, but remembers what it could not write, see logFile.
//   - After any other error the directory is frozen: from then on nothing in
//     it is written, renamed or removed, only new tables are, which the
//     manifest on disk does not know. So the directory stays as it was before
//     the error, to be opened again, whatever pebble believes.
//
// In both states the store acknowledges no write, and reads go on.
type files struct {
	vfs.FS // below, and releasing the ballast on a full disk
	below  vfs.FS
	dir    string
	mode   syncMode
	mark   *watermark
	room   *room
	health *health
	void   *vfs.MemFS // what is written to a frozen directory

	opening atomic.Bool
	closing atomic.Bool
	frozen  atomic.Bool
	full    atomic.Bool  // a memtable could not be written out
	waiting atomic.Int32 // what must be written and waits for room

	stalled atomic.Pointer[stall] // the log is behind
	losses  atomic.Int64          // how often it gave up what it was behind
	wake    chan struct{}         // to write what the log is behind

	mu  sync.Mutex
	log *logFile // the latest
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func (fs *files) Unwrap() vfs.FS { return fs.FS }

// Lock is what pebble calls for the lock that this store has already.
func (fs *files) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// close ends all waiting for room.
func (fs *files) close() { fs.closing.Store(true) }

// freeze stops all changes for good.
func (fs *files) freeze(what string, cause error) {
	fs.health.fail(what, cause)
	fs.frozen.Store(true)
}

// stall is why a log is behind.
type stall struct{ err error }

// stalling returns an error while the log is behind.
func (fs *files) stalling() error {
	if stall := fs.stalled.Load(); stall != nil {
		return fmt.Errorf("file: the disk is full: make room under %s: %w: %w", fs.dir, stall.err, cache.ErrUnavailable)
	}
	return nil
}

// syncLog forces what was acknowledged to stable storage.
func (fs *files) syncLog() error {
	if err := fs.stalling(); err != nil {
		return err
	}
	if l := fs.latest(); l != nil {
		return wrap(l.force())
	}
	return nil
}

func (fs *files) latest() *logFile {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.log
}

// catchUpEvery is how often a log that is behind is tried again.
const catchUpEvery = 50 * time.Millisecond

// syncer forces the log out at each interval, if it is not 0, and writes what
// the log is behind, until ctx ends.
func (fs *files) syncer(ctx context.Context, c clock, interval time.Duration) {
	var tick <-chan time.Time
	if interval > 0 {
		var stop func()
		tick, stop = c.Tick(interval)
		defer stop()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			if l := fs.latest(); l != nil {
				_ = l.force() // a failure is the store's by now
			}
		case <-fs.wake:
			for l := fs.latest(); !l.catchUp(); {
				select {
				case <-ctx.Done():
					return
				case <-time.After(catchUpEvery):
				}
			}
		}
	}
}

// retry does something that must succeed: it waits while the disk is full, and
// freezes the directory if it fails. It reports whether it was done.
func (fs *files) retry(what string, do func() error) bool {
	for first := true; !fs.frozen.Load(); first = false {
		err := do()
		if err == nil {
			return true
		}
		if !isFull(err) || fs.opening.Load() || fs.closing.Load() {
			fs.freeze(what, err)
			return false
		}
		if first {
			fs.waiting.Add(1)
			defer fs.waiting.Add(-1)
		}
		time.Sleep(catchUpEvery)
	}
	return false
}

// kind is what a file name says of the file.
type kind int

const (
	kindOther kind = iota
	kindLog
	kindManifest
	kindTable
)

func (fs *files) kindOf(name string) (kind, uint64) {
	base := fs.PathBase(name)
	number := func(s string) uint64 {
		n, _ := strconv.ParseUint(s, 10, 64)
		return n
	}
	if n, ok := strings.CutSuffix(base, ".log"); ok {
		return kindLog, number(n)
	}
	if n, ok := strings.CutPrefix(base, "MANIFEST-"); ok {
		return kindManifest, number(n)
	}
	if strings.HasSuffix(base, ".sst") || strings.HasSuffix(base, ".blob") {
		return kindTable, 0
	}
	return kindOther, 0
}

// Create creates a file that no other user can read.
func (fs *files) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	kind, num := fs.kindOf(name)
	if kind == kindTable {
		return fs.createTable(name, category)
	}
	return fs.create(kind, num, func() (vfs.File, error) { return fs.FS.Create(name, category) })
}

// ReuseForWrite makes an obsolete log a new one.
func (fs *files) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	kind, num := fs.kindOf(newname)
	return fs.create(kind, num, func() (vfs.File, error) { return fs.FS.ReuseForWrite(oldname, newname, category) })
}

func (fs *files) create(kind kind, num uint64, create func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	ok := fs.retry("a file could not be created", func() (err error) {
		if f, err = create(); err == nil {
			err = private(f)
		}
		return err
	})
	if ok {
		switch kind {
		case kindLog:
			ok = fs.retry("the log could not be created", func() error { return fs.mark.newLog(num) })
		case kindManifest:
			ok = fs.retry("the manifest could not be created", func() error { return fs.mark.newManifest(num) })
		}
	}
	if !ok {
		if kind == kindLog {
			fs.setLog(nil)
		}
		return fs.void.Create("forgotten", vfs.WriteCategoryUnspecified)
	}
	if kind == kindLog {
		l := &logFile{File: f, fs: fs, num: num}
		fs.setLog(l)
		return l, nil
	}
	return &vitalFile{File: f, fs: fs, num: num, manifest: kind == kindManifest}, nil
}

func (fs *files) setLog(l *logFile) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.log = l
}

// OpenDir opens a directory to sync it.
func (fs *files) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &vitalFile{File: f, fs: fs}, nil
}

// Rename, Remove and RemoveAll do nothing in a frozen directory.

func (fs *files) Rename(oldname, newname string) error {
	fs.retry("a file could not be renamed", func() error { return fs.FS.Rename(oldname, newname) })
	return nil
}

func (fs *files) Remove(name string) error {
	if fs.frozen.Load() {
		return nil
	}
	// While it opens a store, pebble removes the old log before there is a new
	// one. From then on nothing is expected of it.
	if kind, num := fs.kindOf(name); kind == kindLog {
		if err := fs.mark.dropLog(num); err != nil {
			return err
		}
	}
	return fs.FS.Remove(name)
}

func (fs *files) RemoveAll(name string) error {
	if fs.frozen.Load() {
		return nil
	}
	return fs.FS.RemoveAll(name)
}

// private keeps other users from reading f, whatever the umask and the
// directory allow.
func private(f vfs.File) error {
	fd := f.Fd()
	if fd == vfs.InvalidFd {
		return nil
	}
	return chmod(fd, 0o600)
}
