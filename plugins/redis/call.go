package main

import (
	"context"
	"fmt"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// perSecond is how much a call may carry for each second that it is given
// beyond the timeout.
const perSecond = 16 << 20

// longest is how long a call with the largest value may take.
func (c *config) longest() time.Duration {
	return c.timeout + time.Second*time.Duration(cache.DefaultMaxValue/perSecond)
}

// do makes a call, which carries size bytes: it finds the session, bounds the
// time, and explains the error.
func (s *Store) do(ctx context.Context, size int, call func(context.Context, *session) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l := s.link.Load()
	if l == nil {
		return fmt.Errorf("%w: redis: the store was not configured", cache.ErrUnavailable)
	}
	bounded, cancel := context.WithTimeout(ctx, s.timeout+time.Second*time.Duration(size/perSecond))
	defer cancel()
	to, err := l.get(bounded)
	if err == nil {
		if err = call(bounded, to); err == nil {
			return nil
		}
		if ctx.Err() == nil && to.broke(err) {
			l.drop(to)
		}
	}
	return unavailable(ctx, s.timeout, err)
}
