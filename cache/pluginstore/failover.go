package pluginstore

import (
	"context"
	"errors"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// fallback is what serves while the plugin, which is known, does not.
func (s *Store) fallback() Fallback {
	return s.fallbackOf(s.info.Load())
}

// fallbackOf is fallback for a plugin that says so of itself, or nil.
func (s *Store) fallbackOf(info *shared.Info) Fallback {
	switch {
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
		r.plug.kill(cause)
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
		next.bridge = s.newBridge()
		for _, w := range s.quarantine.reclaim() {
			if err := next.bridge.restore(w); err != nil {
				// There was room for it before.
				s.board.log.Error("a write is lost", "key_digest", keyDigest(w.key), "error", err)
			}
			r.inFlight.fell.with(w.key)
		}
	case FallbackNone:
		next.wait = false
	default:
		next.doubts = &doubts{old: r.plug}
	}
	next.before = r.inFlight
	if next.planned {
		r.inFlight.fell.close()
	}
	// First: whoever sees next may wait for what is in flight.
	r.inFlight.close()
	s.swap(next)
	return true
}

func (s *Store) newBridge() *bridge {
	info := s.Info()
	// Clearing a store that others use would take what is theirs.
	canClear := info.Exclusive && info.Capabilities&(cache.CanClear|cache.CanScan) != 0
	b := newBridge(s.outages.Add(1), s.o.Journal, canClear, info.Durable, info.Limits.MaxValue)
	b.quarantine, b.spool = s.quarantine, s.spool
	s.spool.take()
	b.forgets = func() {
		s.board.log.Warn("the journal is full: keys that are written while the plugin is down lose their values",
			"entries", s.o.Journal.Entries, "bytes", s.o.Journal.Bytes)
	}
	return b
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
	s.swap(&route{bridge: old.bridge, doubts: old.doubts, before: old.before, err: cause, wait: again && s.fallback() == FallbackAuto})
}

// serve lets calls go to p, once it knows what it missed.
func (s *Store) serve(ctx context.Context, p plug) error {
	info := p.info()
	next := &route{plug: p}
	if p.died() != nil {
		next.inFlight = newInFlight(p.wasKilled, info.Durable && s.fallbackOf(&info) == FallbackMemory)
	}
	for {
		old := s.route.Load()
		if old != nil && old.before != nil {
			if err := s.judge(ctx, old); err != nil {
				return err
			}
		}
		switch {
		case old == nil:
		case old.plug != nil && old.inFlight != nil:
			next.retiring = &retiring{old.inFlight, old.plug.died()}
		case old.bridge != nil:
			return s.serveAfter(ctx, old, p, func() { s.switchTo(nil, next, &info) })
		case old.doubts != nil:
			if err := s.settle(ctx, old, p); err != nil {
				return err
			}
		}
		if s.switchTo(old, next, &info) {
			return nil
		}
		// The process that served has died just now, and memory serves.
	}
}

// serveAfter has p told what is in the bridge of old.
func (s *Store) serveAfter(ctx context.Context, old *route, p plug, switchTo func()) error {
	if err := old.bridge.replay(ctx, p.patient(), p.info().Exclusive, switchTo); err != nil {
		s.diedTelling(ctx, p, err, old.bridge.underWay())
		return s.secrets.Load().hideError(err)
	}
	old.bridge.end()
	return nil
}

// settle has p settle the doubts of old.
func (s *Store) settle(ctx context.Context, old *route, p plug) error {
	unanswered, err := old.doubts.settle(ctx, p, s.quarantine)
	if err != nil {
		s.diedTelling(ctx, p, err, unanswered)
	}
	return s.secrets.Load().hideError(err)
}

// judge finds out which keys may have killed the process before. It returns once
// all writes to that have ended: what became of them is known to the bridge, or in
// doubt.
func (s *Store) judge(ctx context.Context, old *route) error {
	if err := old.ended(ctx); err != nil {
		return err
	}
	// Calls that were given up were under way as well.
	old.before.fell.with(old.before.fences.all()...)
	if keys := old.before.fell.close(); len(keys) > 0 {
		s.fell(keys, old.before.wasKilled())
	}
	return nil
}

// diedTelling is judge for a process that failed with err while it was told of the
// keys, before it served.
func (s *Store) diedTelling(ctx context.Context, p plug, err error, keys []string) {
	ended := ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) // the store is being closed
	if !ended && (isDead(p) || errors.Is(err, shared.ErrBroken) || ctx.Err() != nil) {
		s.fell(keys, p.wasKilled())
	}
}

// fell tells of a process that died, or was killed, with calls on the keys under way.
// Deaths that are explained thereby are no failures of the plugin's.
func (s *Store) fell(keys []string, killed bool) {
	s.quarantine.fell(keys, killed)
	s.supervisor.breaker.forgive(s.quarantine.pardon())
}

// switchTo puts next in the place of old, or of any route if old is nil. It
// reports false if old is not the route any more.
func (s *Store) switchTo(old, next *route, info *shared.Info) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old != nil && s.route.Load() != old {
		return false
	}
	s.info.Store(info)
	s.swap(next)
	return true
}
