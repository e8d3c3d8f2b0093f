package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// Store is the store that a URL names: a plugin's, or memory in this process.
// What it can do beyond cache.Store depends on the plugin; see Capabilities.
type Store struct {
	backend cache.Store
	url     URL
	info    shared.Info
	plugin  *instance // nil: in this process
	closed  atomic.Bool
	closing sync.Once
	err     error // of closing
}

var (
	_ cache.Store    = (*Store)(nil)
	_ cache.Batcher  = (*Store)(nil)
	_ cache.Adder    = (*Store)(nil)
	_ cache.Swapper  = (*Store)(nil)
	_ cache.Counter  = (*Store)(nil)
	_ cache.Toucher  = (*Store)(nil)
	_ cache.Scanner  = (*Store)(nil)
	_ cache.Clearer  = (*Store)(nil)
	_ cache.Watcher  = (*Store)(nil)
	_ cache.Flusher  = (*Store)(nil)
	_ cache.Limiter  = (*Store)(nil)
	_ cache.Declarer = (*Store)(nil)
	_ io.Closer      = (*Store)(nil)
)

// URL is the store URL, without what may be secret.
func (s *Store) URL() string { return s.url.String() }

// Info tells what the store is.
func (s *Store) Info() shared.Info { return s.info }

// PID is the process that the plugin runs in; 0 if it is this one.
func (s *Store) PID() int {
	if s.plugin == nil {
		return 0
	}
	return s.plugin.proc.cmd.Process.Pid
}

// Ready returns nil if the store answers calls, or why it does not.
func (s *Store) Ready(ctx context.Context) error {
	if s.closed.Load() {
		return cache.ErrClosed
	}
	if s.plugin == nil {
		return nil
	}
	return s.plugin.check(ctx, healthTimeout)
}

// Close flushes the store and ends its plugin. Nothing of the plugin is left
// when it returns.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.closed.Store(true)
		if s.plugin == nil {
			s.err = cache.Close(s.backend)
		} else {
			s.err = s.plugin.stop()
		}
	})
	return s.err
}

// failed says it of an error that came of closing the store, or of the death
// of its plugin, rather than what the connection made of it.
func (s *Store) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case s.closed.Load():
		return cache.ErrClosed
	case s.plugin != nil && errors.Is(err, cache.ErrUnavailable):
		if gone := s.plugin.gone(); gone != nil {
			return gone
		}
	}
	return err
}

// declared refuses what the plugin did not declare; the package functions of
// cache fall back then.
func (s *Store) declared(need cache.Capability) error {
	if s.info.Capabilities.Has(need) {
		return nil
	}
	return fmt.Errorf("pluginstore: %s has no %s: %w", s.info.Name, need, errors.ErrUnsupported)
}

// Unguarded passes calls on to the plugin that it did not declare; see
// storetest.
func (s *Store) Unguarded() cache.Store {
	if u, ok := s.backend.(interface{ Unguarded() cache.Store }); ok {
		return u.Unguarded()
	}
	return s.backend
}

// Capabilities implements cache.Declarer.
func (s *Store) Capabilities() cache.Capability { return s.info.Capabilities }

// Limits implements cache.Limiter.
func (s *Store) Limits() cache.Limits { return s.info.Limits }

// Get implements cache.Store.
func (s *Store) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	e, ok, err := s.backend.Get(ctx, key)
	return e, ok, s.failed(err)
}

// Set implements cache.Store.
func (s *Store) Set(ctx context.Context, key string, e cache.Entry) error {
	return s.failed(s.backend.Set(ctx, key, e))
}

// Delete implements cache.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.failed(s.backend.Delete(ctx, key))
}

// GetMany implements cache.Batcher.
func (s *Store) GetMany(ctx context.Context, keys []string) ([]cache.Lookup, error) {
	if err := s.declared(cache.CanBatch); err != nil {
		return nil, err
	}
	found, err := cache.GetMany(ctx, s.backend, keys)
	return found, s.failed(err)
}

// SetMany implements cache.Batcher.
func (s *Store) SetMany(ctx context.Context, items []cache.Item) error {
	if err := s.declared(cache.CanBatch); err != nil {
		return err
	}
	return s.failed(cache.SetMany(ctx, s.backend, items))
}

// DeleteMany implements cache.Batcher.
func (s *Store) DeleteMany(ctx context.Context, keys []string) error {
	if err := s.declared(cache.CanBatch); err != nil {
		return err
	}
	return s.failed(cache.DeleteMany(ctx, s.backend, keys))
}

// SetIfAbsent implements cache.Adder.
func (s *Store) SetIfAbsent(ctx context.Context, key string, e cache.Entry) (bool, error) {
	stored, err := cache.SetIfAbsent(ctx, s.backend, key, e)
	return stored, s.failed(err)
}

// CompareAndSwap implements cache.Swapper.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
	swapped, err := cache.CompareAndSwap(ctx, s.backend, key, old, e)
	return swapped, s.failed(err)
}

// CompareAndDelete implements cache.Swapper.
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error) {
	deleted, err := cache.CompareAndDelete(ctx, s.backend, key, old)
	return deleted, s.failed(err)
}

// Increment implements cache.Counter.
func (s *Store) Increment(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
	n, expires, err := cache.Increment(ctx, s.backend, key, delta, expiresIfNew)
	return n, expires, s.failed(err)
}

// Touch implements cache.Toucher.
func (s *Store) Touch(ctx context.Context, key string, expires time.Time) (bool, error) {
	if err := s.declared(cache.CanTouch); err != nil {
		return false, err
	}
	found, err := cache.Touch(ctx, s.backend, key, expires)
	return found, s.failed(err)
}

// Scan implements cache.Scanner.
func (s *Store) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, err := range cache.Scan(ctx, s.backend, prefix) {
			if !yield(key, s.failed(err)) {
				return
			}
		}
	}
}

// Clear implements cache.Clearer.
func (s *Store) Clear(ctx context.Context, prefix string) error {
	if err := s.declared(cache.CanClear); err != nil {
		return err
	}
	return s.failed(cache.Clear(ctx, s.backend, prefix))
}

// Watch implements cache.Watcher.
func (s *Store) Watch(ctx context.Context) iter.Seq2[cache.Change, error] {
	return func(yield func(cache.Change, error) bool) {
		for change, err := range cache.Watch(ctx, s.backend) {
			if !yield(change, s.failed(err)) {
				return
			}
		}
	}
}

// Flush implements cache.Flusher.
func (s *Store) Flush(ctx context.Context) error {
	if err := s.declared(cache.CanFlush); err != nil {
		return err
	}
	return s.failed(cache.Flush(ctx, s.backend))
}
