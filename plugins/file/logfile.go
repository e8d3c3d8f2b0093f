package main

import (
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logFile is the log. Pebble writes a batch to it, syncs it, and then
// acknowledges the batch. Except in the mode always the sync is done already
// when the batch is written: it is with the kernel, and outlives this process.
// The syncer forces it to stable storage later.
//
// What the disk has no room for is kept, and written as soon as there is room.
// Until then the store is stalled, and tells so to those whose batch pebble
// takes for acknowledged.
type logFile struct {
	vfs.File
	fs  *files
	num uint64

	// forcing is held while the file is synced, so that it is not closed.
	forcing sync.Mutex

	mu      sync.Mutex
	written recordEnds // with the kernel
	synced  int64      // on stable storage
	behind  []byte
	stall   *stall // of the time when it came to be behind
	lost    bool   // something before the end will never be written
	closed  bool
}

// Write always takes all of p.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.lost || l.fs.frozen.Load():
		l.lost = true
	case len(l.behind) > 0:
		l.behind = append(l.behind, p...)
	default:
		n, err := l.File.Write(p)
		l.written.wrote(p[:n])
		switch {
		case err == nil:
		case isFull(err) && !l.fs.opening.Load():
			l.behind = append([]byte(nil), p[n:]...)
			l.stall = &stall{err}
			l.fs.stalled.Store(l.stall)
			select {
			case l.fs.wake <- struct{}{}:
			default:
			}
		default:
			l.lost = true
			l.fs.freeze("the log could not be written", err)
		}
	}
	return len(p), nil
}

// catchUp writes what the log is behind, and reports whether nothing is left to
// be done.
func (l *logFile) catchUp() bool {
	if l == nil {
		return true
	}
	if done, err := l.writeBehind(); done || err != nil {
		return done || !isFull(err)
	}
	// In the mode always the callers were promised this too.
	_ = l.force()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.behind) > 0 {
		return false
	}
	// The next log may be behind by now.
	l.fs.stalled.CompareAndSwap(l.stall, nil)
	return true
}

func (l *logFile) writeBehind() (done bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.behind) == 0 {
		return true, nil
	}
	n, err := l.File.Write(l.behind)
	l.written.wrote(l.behind[:n])
	l.behind = l.behind[n:]
	if err != nil && !isFull(err) {
		l.behind, l.lost = nil, true
		l.fs.freeze("the log could not be written", err)
	}
	return false, err
}

// Sync returns once what was written is where the mode wants it.
func (l *logFile) Sync() error {
	if l.fs.mode == syncAlways {
		_ = l.force()
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note()
	return nil
}

func (l *logFile) SyncData() error { return l.Sync() }

func (l *logFile) SyncTo(int64) (bool, error) { return false, l.Sync() }

// Preallocate does nothing: a small store would seem to take much space.
func (l *logFile) Preallocate(int64, int64) error { return nil }

// note brings the watermark up to date: it promises whole records only.
func (l *logFile) note() {
	if l.fs.frozen.Load() {
		return
	}
	if err := l.fs.mark.logAt(l.num, l.written.end, l.synced); err != nil {
		l.fs.freeze("the log's watermark could not be written", err)
	}
}

// force makes what was written durable. Others may write meanwhile.
func (l *logFile) force() error {
	l.forcing.Lock()
	defer l.forcing.Unlock()
	return l.forceLocked()
}

func (l *logFile) forceLocked() error {
	l.mu.Lock()
	size, done := l.written.end, l.closed || l.written.end == l.synced
	l.mu.Unlock()
	if l.fs.frozen.Load() {
		return l.fs.health.failure()
	}
	if done {
		return nil
	}
	if err := l.File.SyncData(); err != nil {
		l.fs.freeze("the log could not be synced", err)
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.synced = size
	l.note()
	return nil
}

// Close makes the log durable in every mode, before the next one exists: only
// the last log may end in the middle of a record.
func (l *logFile) Close() error {
	if !l.catchUp() {
		l.cut()
	}
	l.forcing.Lock()
	defer l.forcing.Unlock()
	_ = l.forceLocked() // a failure has frozen the directory
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if err := l.File.Close(); err != nil {
		l.fs.freeze("the log could not be closed", err)
	}
	return nil
}

// cut forgets what the log is behind, and removes the piece of a record that
// may be before it. None of that was acknowledged, and those who wait for it
// learn of it from fs.losses.
func (l *logFile) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fs.losses.Add(1)
	l.behind, l.lost = nil, true
	end, err := cutLog(l.fs.below, l.fs.dir, l.num)
	if err != nil {
		l.fs.freeze("the log could not be ended", err)
		return
	}
	l.written.restart(end)
	l.synced = min(l.synced, end)
	l.note()
	l.fs.stalled.CompareAndSwap(l.stall, nil)
}
