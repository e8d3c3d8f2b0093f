package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// Store keeps entries in Redis, each as the plain string under prefix+key. Its
// methods return cache.ErrUnavailable until Configure, and cache.ErrClosed once
// Close was called.
type Store struct {
	link atomic.Pointer[link] // nil: not configured
	config
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
	_ cache.Watcher     = (*Store)(nil)
	_ cache.Limiter     = (*Store)(nil)
	_ io.Closer         = (*Store)(nil)
	_ shared.Describer  = (*Store)(nil)
	_ shared.Mixer      = (*Store)(nil)
	_ shared.Configurer = (*Store)(nil)
	_ shared.Sender     = (*Store)(nil)
)

// OnSend implements shared.Sender. It comes before Configure.
func (s *Store) OnSend(sending func()) { s.sending = sending }

// Configure reads the settings and connects. Servers that are not there, or do
// not serve yet, are no error: calls tell the reason until they do.
func (s *Store) Configure(ctx context.Context, set shared.Settings) error {
	c, err := readConfig(set)
	if err != nil {
		return err
	}
	c.sending = s.sending
	s.config = c
	l := newLink(s.connect)
	if _, err := l.get(ctx); err != nil {
		if wrong := misconfigured(s.timeout, err); wrong != nil || ctx.Err() != nil {
			l.close()
			return errors.Join(wrong, ctx.Err())
		}
		slog.Warn("redis: no server serves yet; each call tries again", "reason", trouble(s.timeout, err))
	}
	s.link.Store(l)
	return nil
}

// Limits returns the longest value, which is below what Redis takes.
func (s *Store) Limits() cache.Limits { return cache.Limits{MaxValue: cache.DefaultMaxValue} }

// Close disconnects. Calls under way are answered first.
func (s *Store) Close() error {
	if l := s.link.Load(); l != nil {
		l.close()
	}
	return nil
}

// Get implements cache.Store.
func (s *Store) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	if err := cache.CheckKey(key); err != nil {
		return cache.Entry{}, false, err
	}
	var found []cache.Lookup
	err := s.read(ctx, key, func(ctx context.Context, to *session) (err error) {
		found, err = to.lookUp(ctx, []string{s.prefix + key}, nil)
		return err
	})
	if err != nil {
		return cache.Entry{}, false, err
	}
	return found[0].Entry, found[0].Found, nil
}

// Set implements cache.Store. What another type is held under the key is
// replaced, as SET does.
func (s *Store) Set(ctx context.Context, key string, e cache.Entry) error {
	if err := check(key, e); err != nil {
		return err
	}
	return s.do(ctx, key, len(e.Value), func(ctx context.Context, to *session) error {
		return to.client.Do(ctx, set(to.client.B(), s.prefix+key, e)).Error()
	})
}

// Delete implements cache.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := cache.CheckKey(key); err != nil {
		return err
	}
	return s.do(ctx, key, 0, func(ctx context.Context, to *session) error {
		return to.unlink(ctx, []string{s.prefix + key})
	})
}

// set is the command that stores e. Redis takes an expiry in the past for what
// it is and removes the key.
func set(b rueidis.Builder, key string, e cache.Entry) rueidis.Completed {
	value := rueidis.BinaryString(e.Value)
	ms, ok := toRedis(e.Expires)
	if !ok {
		return b.Set().Key(key).Value(value).Build()
	}
	return b.Set().Key(key).Value(value).PxatMillisecondsTimestamp(ms).Build()
}
