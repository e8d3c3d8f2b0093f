package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// Store is the store that a URL names: a plugin's, which is kept alive, or
// memory in this process. What it can do beyond cache.Store depends on the
// plugin; see Capabilities. What happens while the plugin does not serve, see
// Fallback.
type Store struct {
	url        URL
	o          *Options
	supervisor *supervisor
	board      *board
	quarantine *quarantine
	spool      *spooled // nil: the journal is in memory only

	route   atomic.Pointer[route]
	info    atomic.Pointer[shared.Info] // of the process that served last
	mu      sync.Mutex                  // held to change route
	outages atomic.Uint64               // that memory has served in
	secrets atomic.Pointer[secrets]     // that the plugin was given last

	program atomic.Pointer[program] // that a restart runs
	life    context.Context         // of supervision; nil: there is none
	cancel  context.CancelFunc      // ends supervision
	last    chan plug               // what served when it ended

	retries atomic.Bool // whether tryAgain is at work

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

// Info tells what the store is: as its plugin last said.
func (s *Store) Info() shared.Info {
	if info := s.info.Load(); info != nil {
		return *info
	}
	name := s.url.Name
	if name == "" {
		name = programName(s.url.Path)
	}
	return shared.Info{Description: shared.Description{Name: name}, Limits: cache.Limits{MaxValue: cache.DefaultMaxValue}}
}

// PID is the process that the plugin runs in; 0 if it is this one, or none.
func (s *Store) PID() int {
	if r := s.route.Load(); r.plug != nil {
		return r.plug.pid()
	}
	return 0
}

// Status tells how the store's plugin is.
func (s *Store) Status() Status {
	status := s.board.read()
	status.PID = s.PID()
	status.Quarantine = s.quarantine.digests()
	if r := s.route.Load(); r.bridge != nil {
		status.Fallback, status.Journal = true, r.bridge.size()
		if status.State == Ready {
			status.State = Degraded // which the supervisor is about to say
		}
	}
	return status
}

// Reset has a plugin that does not serve started at once, be it that it waits
// for that or that it failed too often, and keys in quarantine tried again.
func (s *Store) Reset() {
	s.quarantine.expire()
	s.supervisor.suspect()
	if s.route.Load().plug == nil {
		s.supervisor.reset()
	}
}

// Ready returns nil if the store serves calls, be it from the fallback, or why
// it does not.
func (s *Store) Ready(ctx context.Context) error {
	r := s.route.Load()
	switch {
	case r.bridge != nil:
		return nil
	case r.plug == nil:
		return r.unavailable()
	}
	err := r.plug.check(ctx, healthTimeout)
	if err == nil {
		return nil
	}
	s.supervisor.suspect()
	// The connection breaks a moment before the process is gone. A call would
	// notice its end, and be served by what takes its place.
	timer := time.NewTimer(exitGrace)
	defer timer.Stop()
	select {
	case <-r.plug.died():
		s.fail(r, s.deathOf(ctx, r.plug, err))
	case <-r.next:
	case <-timer.C:
		return s.failed(err)
	case <-ctx.Done():
		return s.failed(err)
	}
	return s.Ready(ctx)
}

// failed says it of an error that came of closing the store, and hides what a
// plugin must not show in one of its own.
func (s *Store) failed(err error) error {
	if err != nil && s.closed.Load() {
		return cache.ErrClosed
	}
	return s.secrets.Load().hideError(err)
}

// declared refuses what the plugin did not declare; the package functions of
// cache fall back then.
func (s *Store) declared(need cache.Capability) error {
	info := s.info.Load()
	if info == nil || info.Capabilities.Has(need) {
		return nil // or not known
	}
	return fmt.Errorf("pluginstore: %s has no %s: %w", info.Name, need, errors.ErrUnsupported)
}

// Unguarded passes calls on to the plugin that it did not declare; see
// storetest.
func (s *Store) Unguarded() cache.Store {
	r := s.route.Load()
	if r.plug == nil {
		return s
	}
	if u, ok := r.plug.store().(interface{ Unguarded() cache.Store }); ok {
		return u.Unguarded()
	}
	return r.plug.store()
}

// Capabilities implements cache.Declarer.
func (s *Store) Capabilities() cache.Capability { return s.Info().Capabilities }

// Limits implements cache.Limiter.
func (s *Store) Limits() cache.Limits { return s.Info().Limits }
