package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// perSecond is how much a call may carry for each second that it is given
// beyond the timeout.
const perSecond = 16 << 20

// longest is how long a call with the largest value may take.
func (c *config) longest() time.Duration { return c.lasting(cache.DefaultMaxValue) }

// lasting is how long a call that carries size bytes may take.
func (c *config) lasting(size int) time.Duration {
	return c.timeout + time.Second*time.Duration(size/perSecond)
}

// caller is one try of a call over a session. Its context is bounded.
type caller func(ctx context.Context, to *session) error

// do makes a call that carries size bytes. It is not tried again: nobody knows
// whether a write whose connection broke was done. The key is for the error.
func (s *Store) do(ctx context.Context, key string, size int, call caller) error {
	return s.try(ctx, key, s.lasting(size), 1, call)
}

// read makes a call that changes nothing: over a new connection, if the first
// one broke.
func (s *Store) read(ctx context.Context, key string, call caller) error {
	return s.try(ctx, key, s.timeout, 2, call)
}

func (s *Store) try(ctx context.Context, key string, most time.Duration, times int, call caller) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l := s.link.Load()
	if l == nil {
		return fmt.Errorf("%w: redis: the store was not configured", cache.ErrUnavailable)
	}
	bounded, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		to, err := l.get(bounded)
		if err != nil {
			return unavailable(ctx, s.timeout, err)
		}
		if err = call(bounded, to); err == nil {
			return nil
		}
		switch {
		case wrongType(err):
			return s.nameType(bounded, to, key, err)
		case ctx.Err() == nil && to.demoted(err):
			l.renew(to)
		case ctx.Err() == nil && to.broke(err):
			l.drop(to)
			if times--; times > 0 && bounded.Err() == nil {
				continue
			}
		}
		return unavailable(ctx, s.timeout, err)
	}
}

// nameType is the error for a key that holds no string.
func (s *Store) nameType(ctx context.Context, to *session, key string, err error) error {
	full := s.prefix + key
	var wrong errType
	if errors.As(err, &wrong) {
		full = wrong.key
	}
	kind, err := to.client.Do(ctx, to.client.B().Type().Key(full).Build()).ToString()
	if err != nil {
		kind = "something else"
	}
	return fmt.Errorf("redis: the key holds a Redis %s, not a string: delete it, or keep the cache's keys apart with prefix", kind)
}

// check refuses an entry that no store takes.
func check(key string, e cache.Entry) error { return cache.CheckEntry(key, e, cache.DefaultMaxValue) }
