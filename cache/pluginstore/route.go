package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// plug is a process that can serve a store, or this one.
type plug interface {
	store() cache.Store
	// patient is store whose calls have no limit but their context's.
	patient() cache.Store
	// moved grows while the process answers calls.
	moved() uint64
	info() shared.Info
	pid() int
	// died is closed as soon as it can serve no more; cause says why then.
	died() <-chan struct{}
	cause() error
	// wasKilled reports, once it has died, whether SIGKILL ended it, as somebody
	// else or the system does, or this host when the connection broke.
	wasKilled() bool
	// check asks it for its health, for timeout at most.
	check(ctx context.Context, timeout time.Duration) error
	// bury is called once it has died: which calls it never sent on is known then.
	bury()
	// kill ends it for the reason why, and returns at once.
	kill(why error)
	// abort ends it; when it returns nothing of it is left.
	abort()
	// stop flushes and ends it; when it returns nothing of it is left.
	stop() error
}

// route is where calls go. It does not change; another takes its place.
type route struct {
	// One of: the plugin serves, with what it was sent and has not answered;
	plug     plug
	inFlight *inFlight // nil: plug cannot fail
	retiring *retiring // nil: no process that this one replaces
	// memory serves;
	bridge *bridge
	// nothing does, and the next process settles what is in doubts.
	doubts *doubts // nil: nothing

	// before is what the process that served last was sent; nil: nothing.
	before *inFlight
	// planned: the plugin is being replaced. What memory cannot do waits.
	planned bool
	// wait: without memory, calls wait for the next route.
	wait bool
	// err is why the plugin does not serve.
	err error
	// next is closed when another route has taken its place.
	next chan struct{}
}

// retiring is a process that another has replaced, beside which it runs until it
// has ended: what it has not answered may still be done.
type retiring struct {
	inFlight *inFlight
	ended    <-chan struct{}
}

// begin counts writes to the plugin. It reports false if they must go another way,
// and after it has waited for another write of one of the keys: fences may stand
// before it by then.
func (r *route) begin(ctx context.Context, writes []keyEntry) (bool, error) {
	if r.inFlight == nil {
		return true, nil
	}
	for i, w := range writes {
		ok, busy := r.inFlight.begin(w.key, &writes[0])
		if ok {
			continue
		}
		r.end(writes[:i])
		return false, r.awaitTurn(ctx, busy)
	}
	return true, nil
}

// awaitTurn waits until busy is closed, if it is not nil, as long as ctx lets it and
// shared.CallTimeout at most.
func (r *route) awaitTurn(ctx context.Context, busy <-chan struct{}) error {
	if busy == nil {
		return nil
	}
	timer := time.NewTimer(shared.CallTimeout)
	defer timer.Stop()
	select {
	case <-busy:
		return nil
	case <-r.next:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("%w, and has been for %v", errBusy, shared.CallTimeout)
	}
}

// errBusy: a call waits for its turn at the key. It wraps cache.ErrUnavailable.
var errBusy = fmt.Errorf("%w: another write of the key is under way", cache.ErrUnavailable)

// writesKey reports whether key is among the writes.
func writesKey(writes []keyEntry, key string) bool {
	return slices.ContainsFunc(writes, func(w keyEntry) bool { return w.key == key })
}

// fence keeps later calls from the keys of a call that failed with err, until the
// plugin answers it.
func (r *route) fence(err error, keys ...string) {
	if r.inFlight != nil {
		r.inFlight.fences.raise(err, keys)
	}
}

// abandon takes note of writes of a live process that end without an answer.
func (r *route) abandon(writes []keyEntry) {
	if r.inFlight == nil {
		return
	}
	for _, w := range writes {
		r.inFlight.abandon(w.key)
		if r.inFlight.fences.of(w.key) == nil {
			r.inFlight.answered(w.key) // just now, or it was never sent
		}
	}
}

// end ends what begin began.
func (r *route) end(writes []keyEntry) {
	if r.inFlight == nil {
		return
	}
	for _, w := range writes {
		r.inFlight.end(w.key)
	}
}

// ended waits until all writes to the process before have ended: what became of
// them is known to the bridge, or in doubt.
func (r *route) ended(ctx context.Context) error {
	if r.before == nil {
		return nil
	}
	select {
	case <-r.before.settled():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unavailable is the error of a call that the route cannot serve.
func (r *route) unavailable() error {
	switch {
	case r.plug != nil:
		return fmt.Errorf("%w: the plugin %s died meanwhile", cache.ErrUnavailable, r.plug.info().Name)
	case errors.Is(r.err, cache.ErrClosed) || errors.Is(r.err, cache.ErrUnavailable):
		return r.err
	}
	return fmt.Errorf("%w: %w", cache.ErrUnavailable, r.err)
}

// current returns the route that takes the next call. Where calls are to wait,
// it waits: as long as ctx lets it, and shared.CallTimeout at most if it is not
// sure that there will be a next route. memory tells whether a bridge can serve
// the call.
func (s *Store) current(ctx context.Context, memory bool) (*route, error) {
	r := s.route.Load()
	if r.plug != nil || (r.bridge != nil && memory) {
		return r, nil
	}
	return s.await(ctx, r, memory)
}

func (s *Store) await(ctx context.Context, r *route, memory bool) (*route, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	timer := time.NewTimer(shared.CallTimeout)
	defer timer.Stop()
	patience := timer.C
	for {
		switch {
		case r.plug != nil || (r.bridge != nil && memory):
			return r, nil
		case !r.wait && !r.planned:
			return nil, r.unavailable()
		}
		select {
		case <-r.next:
			r = s.route.Load()
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, fmt.Errorf("%w (%w)", r.unavailable(), ctx.Err())
			}
			return nil, ctx.Err()
		case <-patience:
			if !r.planned {
				return nil, r.unavailable()
			}
			patience = nil // it is only a matter of time
		}
	}
}

// awaitPlugin waits until the plugin serves, as long as ctx lets it and
// shared.CallTimeout at most: why is the error then.
func (s *Store) awaitPlugin(ctx context.Context, why error) error {
	timer := time.NewTimer(shared.CallTimeout)
	defer timer.Stop()
	for {
		r := s.route.Load()
		switch {
		case r.plug != nil:
			return nil
		case r.bridge == nil:
			return r.unavailable()
		}
		select {
		case <-r.next:
		case <-timer.C:
			return why
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%w (%w)", why, ctx.Err())
			}
			return ctx.Err()
		}
	}
}
