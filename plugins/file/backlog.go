package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// backlog makes writers wait while too much of what was written is not in
// tables yet. Pebble can do that itself, but who waits there cannot be told
// that the disk is full.
type backlog struct {
	// begun is how many memtables were followed by another, and written how many
	// of these are tables: the others wait. A batch that is too large for one is
	// one of its own.
	begun, written atomic.Int64
	// heavy is set while there is such a batch among them.
	heavy atomic.Bool
	// large is held by who writes a large batch: one at a time.
	large chan struct{}
}

const (
	// largeBatch is what pebble may not put into a memtable.
	largeBatch = tableSize / 4
	// lookAgain is how often a waiting writer looks at the backlog.
	lookAgain = 2 * time.Millisecond
)

func (b *backlog) tooLong() bool {
	queued := b.queued()
	if queued <= 0 {
		b.heavy.Store(false)
	}
	return queued >= queuedTables || b.heavy.Load()
}

func (b *backlog) queued() int64 { return b.begun.Load() - b.written.Load() }

// bytes is about how much waits to be written out.
func (b *backlog) bytes() int64 { return max(b.queued(), 0) * tableSize }

// awaitBacklog waits until a batch of size bytes may be written. The caller calls
// done after a nil error.
func (s *Store) awaitBacklog(ctx context.Context, size int) (done func(), err error) {
	b := &s.backlog
	done = func() {}
	if size >= largeBatch {
		select {
		case b.large <- struct{}{}:
			done = func() { <-b.large }
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	for b.tooLong() {
		if err = s.writable(); err == nil && (s.files.full.Load() || s.files.waiting.Load() > 0) {
			err = fmt.Errorf("file: the disk has no room for what was accepted before: make room under %s: %w", s.files.dir, cache.ErrUnavailable)
		}
		if err == nil && s.closing.Load() {
			err = errClosed()
		}
		if err != nil {
			done()
			return nil, err
		}
		select {
		case <-ctx.Done():
			done()
			return nil, ctx.Err()
		case <-time.After(lookAgain):
		}
	}
	return done, nil
}
