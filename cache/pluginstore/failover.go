package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// fallback is what serves while the plugin, which is known, does not.
func (s *Store) fallback() Fallback {
	switch info := s.info.Load(); {
	case s.o.Fallback != FallbackAuto:
		return s.o.Fallback
	case info != nil && info.Exclusive:
		return FallbackMemory
	}
	return FallbackAuto
}

// swap puts next in the place of the route; s.mu is held.
func (s *Store) swap(next *route) {
	next.next = make(chan struct{})
	if old := s.route.Swap(next); old != nil {
		close(old.next)
	}
}

// fail makes sure that calls no longer go to r's process, and ends it: what it
// was sent and has not answered must not be done later. Whoever notices first
// does it.
func (s *Store) fail(r *route, cause error) {
	if s.leave(r, &route{err: cause, wait: true}) {
		r.plug.kill()
	}
}

// leave puts next in the place of r, which a process serves, and lets memory
// serve in next if it may. It reports false if r is not the route any more.
func (s *Store) leave(r *route, next *route) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.route.Load() != r {
		return false
	}
	switch s.fallback() {
	case FallbackMemory:
		next.before = r.inFlight
		next.bridge = s.newBridge()
	case FallbackNone:
		next.wait = false
	}
	s.swap(next)
	r.inFlight.close()
	return true
}

func (s *Store) newBridge() *bridge {
	info := s.Info()
	// Clearing a store that others use would take what is theirs.
	canClear := info.Exclusive && info.Capabilities&(cache.CanClear|cache.CanScan) != 0
	return newBridge(s.outages.Add(1), s.o.Journal, canClear, info.Limits.MaxValue)
}

// down tells those who wait, and those whom memory cannot serve, why the
// plugin does not serve, and for good whether it will be started again.
func (s *Store) down(cause error, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.route.Load()
	if old.plug != nil || errors.Is(old.err, cache.ErrClosed) {
		return
	}
	s.swap(&route{bridge: old.bridge, before: old.before, err: cause, wait: again && s.fallback() == FallbackAuto})
}

// serve lets calls go to p, once it knows what it missed.
func (s *Store) serve(ctx context.Context, p plug) error {
	info := p.info()
	next := &route{plug: p}
	if p.died() != nil {
		next.inFlight = newInFlight()
	}
	switchTo := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.info.Store(&info)
		s.swap(next)
	}
	old := s.route.Load()
	if old == nil || old.bridge == nil {
		switchTo()
		return nil
	}
	if old.before != nil {
		// A late caller must find what was written since in the journal.
		select {
		case <-old.before.settled():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := old.bridge.replay(ctx, p.store(), info.Exclusive, switchTo); err != nil {
		return err
	}
	old.bridge.end()
	return nil
}

// lost reports whether a call failed because the process that it went to
// serves no more, and then makes sure that the route is another. An error that
// is the store's own answer is not that.
func (s *Store) lost(ctx context.Context, r *route, err error) bool {
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
		s.supervisor.suspect()
		return false
	case errors.Is(err, shared.ErrBroken):
		// Be the process alive, nobody knows what it is still doing.
		s.fail(r, s.deathOf(r.plug, err))
		return true
	}
	if !isDead(r.plug) && r.plug.check(context.WithoutCancel(ctx), healthTimeout) == nil {
		return false
	}
	s.fail(r, s.deathOf(r.plug, err))
	return true
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
func (s *Store) deathOf(p plug, err error) error {
	if s.fallback() != FallbackMemory {
		// The connection breaks a moment before the process is gone.
		timer := time.NewTimer(exitGrace)
		defer timer.Stop()
		select {
		case <-p.died():
			return p.cause()
		case <-timer.C:
		}
	}
	return fmt.Errorf("%w: the plugin %s broke the connection: %w", cache.ErrUnavailable, p.info().Name, err)
}

// unknown is what becomes of a write that was in flight when r's process died.
func (s *Store) unknown(r *route, key string, e *cache.Entry) error {
	now := s.route.Load()
	if now.bridge == nil || now.before != r.inFlight {
		return now.unavailable()
	}
	return now.bridge.unknown(key, e, r.inFlight.overlapped(key))
}
