package server

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// putIf stores the value if the conditions hold at the moment in which it is
// stored: the store compares, not this server. It reports whether the key held
// nothing. s pays for the value that is there.
func (h *HTTP) putIf(ctx context.Context, key string, value []byte, c conditions, s *share, options []cache.SetOption) (created bool, err error) {
	if c.demandsAbsence() {
		stored, err := h.cache.SetIfAbsent(ctx, key, value, options...)
		if err == nil && !stored {
			err = present
		}
		return stored, err
	}
	err = h.whileHolds(ctx, key, c, s, func(old []byte, ok bool) (done bool, err error) {
		if created = !ok; created {
			return h.cache.SetIfAbsent(ctx, key, value, options...)
		}
		return h.cache.CompareAndSwap(ctx, key, old, value, options...)
	})
	return created && err == nil, err
}

// deleteIf removes the key if the conditions hold at the moment in which it is
// removed.
func (h *HTTP) deleteIf(ctx context.Context, key string, c conditions, s *share) error {
	return h.whileHolds(ctx, key, c, s, func(old []byte, ok bool) (done bool, err error) {
		if !ok {
			return true, nil
		}
		return h.cache.CompareAndDelete(ctx, key, old)
	})
}

// whileHolds reads the key, checks the conditions and lets swap act on what was
// read, until it succeeds or the conditions do not hold any more. A swap that
// does not succeed means that another client's did.
func (h *HTTP) whileHolds(ctx context.Context, key string, c conditions, s *share, swap func(old []byte, ok bool) (bool, error)) error {
	for attempt := 0; ; attempt++ {
		old, ok, err := h.cache.Get(ctx, key)
		if err != nil {
			return err
		}
		if !s.hold(len(old)) {
			return errBusy
		}
		tag := ""
		if ok {
			tag = tagOf(old)
		}
		if err := c.check(tag); err != nil {
			return err
		}
		done, err := swap(old, ok)
		if done || err != nil {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// pause spreads requests that keep losing the race for one key, by up to 32 ms.
func pause(ctx context.Context, attempt int) error {
	if attempt < 3 {
		return ctx.Err()
	}
	timer := time.NewTimer(rand.N(time.Millisecond << min(attempt-3, 5)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
