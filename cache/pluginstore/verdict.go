package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// lost reports whether a call failed because the process that it went to
// serves no more, and then makes sure that the route is another. An error that
// is the store's own answer is not that, but has the plugin's health checked. keys
// are those that the call was on.
func (s *Store) lost(ctx context.Context, r *route, err error, keys ...string) bool {
	if !s.isLost(ctx, r, err) {
		return false
	}
	r.inFlight.fell.with(keys...)
	return true
}

func (s *Store) isLost(ctx context.Context, r *route, err error) bool {
	switch {
	case r.inFlight == nil:
		return false
	case errors.Is(err, context.DeadlineExceeded):
		s.supervisor.suspect()
		return false
	case !errors.Is(err, cache.ErrUnavailable) && !errors.Is(err, cache.ErrClosed):
		return false
	case s.route.Load() != r:
		return true
	case errors.Is(err, shared.ErrNoAnswer):
		return s.slowOrDead(ctx, r)
	case errors.Is(err, shared.ErrBroken):
		// Be the process alive, nobody knows what it is still doing.
		s.fail(r, s.deathOf(ctx, r.plug, err))
		return true
	}
	if isDead(r.plug) {
		s.fail(r, s.deathOf(ctx, r.plug, err))
		return true
	}
	s.supervisor.suspect()
	return false
}

// slowOrDead has the health of r's process checked after a call to it got no answer
// in time, and reports whether the process is dead. Only where memory may serve, a
// caller waits for that: if the process is dead, memory takes the call.
func (s *Store) slowOrDead(ctx context.Context, r *route) (dead bool) {
	well := s.supervisor.well()
	s.supervisor.suspect()
	if s.fallback() != FallbackMemory {
		return false
	}
	select {
	case <-well:
		return false
	case <-r.next:
		return true
	case <-ctx.Done():
		return false
	}
}

// isStuck reports whether a call waited too long for another one on its key, and
// the process that has that is dead: memory takes the call.
func (s *Store) isStuck(ctx context.Context, r *route, err error) bool {
	return (errors.Is(err, ErrInDoubt) || errors.Is(err, errBusy)) && s.slowOrDead(ctx, r)
}

func isDead(p plug) bool {
	select {
	case <-p.died():
		return true
	default:
		return false
	}
}

// deathOf says why p serves no more, after a call to it failed with err. Where
// memory serves nobody waits for the answer.
func (s *Store) deathOf(ctx context.Context, p plug, err error) error {
	if s.fallback() != FallbackMemory {
		// The connection breaks a moment before the process is gone.
		timer := time.NewTimer(exitGrace)
		defer timer.Stop()
		select {
		case <-p.died():
			return p.cause()
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return fmt.Errorf("%w: the plugin %s broke the connection: %w", cache.ErrUnavailable, p.info().Name, s.secrets.Load().hideError(err))
}

// isUnanswered reports whether a call ended without the plugin's answer: it may
// be doing it yet.
func isUnanswered(err error) bool {
	return errors.Is(err, shared.ErrNoAnswer) || errors.Is(err, shared.ErrBroken) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// gone is the error of a call that was in flight when its process died, and that
// failed with err.
func (s *Store) gone(err error) error {
	if now := s.route.Load(); now.plug == nil {
		return now.unavailable()
	}
	return err // another serves by now
}

// unknown is what becomes of a write that was in flight when r's process died, and
// that failed with err.
func (s *Store) unknown(r *route, key string, e *cache.Entry, err error) error {
	now := s.route.Load()
	if now.bridge == nil || now.before != r.inFlight {
		return s.failed(unknownOutcome(s.gone(err)))
	}
	err = now.bridge.unknown(key, e, r.inFlight.overlapped(key))
	if errors.Is(err, ErrJournalFull) {
		return s.failed(unknownOutcome(err))
	}
	return err
}

// doubt is what becomes of a call on some keys that was in flight when r's process
// died, where the next process is to settle it; nil: it is not.
func (s *Store) doubt(r *route, writes []keyEntry, err error) *doubt {
	now := s.route.Load()
	if now.doubts == nil || now.before != r.inFlight {
		return nil
	}
	return now.doubts.add(writes, err)
}
