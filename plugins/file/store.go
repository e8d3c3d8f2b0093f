package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// Store keeps entries in a directory, in a log-structured merge tree. Its
// methods return cache.ErrUnavailable until Configure has opened the directory
// and cache.ErrClosed once Close was called.
type Store struct {
	// What a test replaces: the file system below the store, the clock, and
	// the name of the machine's current boot. Zero: the real ones.
	fs     vfs.FS
	clock  clock
	bootID string

	// life is held for reading by every operation and for writing by Configure
	// and Close: pebble panics when it is used after its Close.
	life    sync.RWMutex
	closing atomic.Bool
	closed  bool
	err     error // of Close

	db      *pebble.DB // nil: not configured
	lock    io.Closer
	files   *files
	health  *health
	room    *room
	locks   *locks
	hot     *hot
	bound   *bound // nil: no max_bytes
	expiry  expiry
	garbage garbage
	backlog backlog
	pending pending
	written atomic.Bool // anything, since it was opened

	stop    context.CancelFunc
	workers sync.WaitGroup
}

var (
	_ cache.Store       = (*Store)(nil)
	_ cache.Batcher     = (*Store)(nil)
	_ cache.Adder       = (*Store)(nil)
	_ cache.Swapper     = (*Store)(nil)
	_ cache.Counter     = (*Store)(nil)
	_ cache.Toucher     = (*Store)(nil)
	_ cache.Scanner     = (*Store)(nil)
	_ cache.Clearer     = (*Store)(nil)
	_ cache.Flusher     = (*Store)(nil)
	_ cache.Limiter     = (*Store)(nil)
	_ io.Closer         = (*Store)(nil)
	_ shared.Describer  = (*Store)(nil)
	_ shared.Configurer = (*Store)(nil)
)

// Limits returns the longest value, which no setting changes.
func (s *Store) Limits() cache.Limits {
	return cache.Limits{MaxValue: cache.DefaultMaxValue}
}

// enter begins an operation. After a nil error the caller ends it with leave.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closing.Load() {
		return errClosed()
	}
	s.life.RLock()
	var err error
	switch {
	case s.closed:
		err = errClosed()
	case s.db == nil:
		err = fmt.Errorf("file: the store was not configured: %w", cache.ErrUnavailable)
	default:
		return nil
	}
	s.life.RUnlock()
	return err
}

func (s *Store) leave() { s.life.RUnlock() }

func errClosed() error { return fmt.Errorf("file: %w", cache.ErrClosed) }

// Flush returns once everything that was acknowledged before is on stable
// storage.
func (s *Store) Flush(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.health.failure(); err != nil {
		return err
	}
	return s.files.syncLog()
}

// Close waits for the operations that are under way, makes everything durable
// and gives the directory back. Operations that begin after it get
// cache.ErrClosed. Further calls return what the first did.
func (s *Store) Close() error {
	s.closing.Store(true)
	s.life.RLock()
	if s.files != nil {
		// Nobody may go on waiting for room on the disk.
		s.files.close()
	}
	s.life.RUnlock()

	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return s.err
	}
	s.closed = true
	if s.db != nil {
		s.err = s.shut()
	}
	return s.err
}
