package pluginstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// doubts are the calls that a process of a shared store was sent and had not
// answered when it died: it cannot be known whether they were done. The next
// process settles them before anybody else uses it, so that no call of this host
// comes between.
//
// A call that certainly was not sent on is made again. To do a write again that may
// have been done would be wrong: others may have read what it wrote, and then what
// somebody wrote over it, and would read the older value once more. But if the key
// is as the write would leave it, that is as good as done: done at that moment it
// would change nothing. Of all else the outcome stays unknown.
type doubts struct {
	old plug // the process that died

	mu  sync.Mutex
	all []*doubt
	// oneByOne: a process died while it was asked of the keys.
	oneByOne bool
}

// doubt is one call. What became of it is set before a process serves again.
type doubt struct {
	writes  []keyEntry // none: an atomic operation
	err     error      // of the call; nil: it is as good as done
	unsent  bool       // it certainly was not, and will not be
	settled bool
}

// add takes a call that failed with err. It comes before the call's end is
// counted. It copies the writes: those of a call that succeeds cost no memory.
func (d *doubts) add(writes []keyEntry, err error) *doubt {
	c := &doubt{err: err}
	for _, w := range writes {
		if w.entry != nil {
			e := *w.entry
			w.entry = &e
		}
		c.writes = append(c.writes, w)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, c)
	return c
}

// settleTimeout is less than the callers wait.
const settleTimeout = shared.CallTimeout / 2

// settle settles all calls with the process that comes after. After an error, which
// is that of a process that serves no more or of ctx, it is for the next one. The
// keys are those that the process was asked of and has not answered.
func (d *doubts) settle(ctx context.Context, next plug, q *quarantine) (unanswered []string, _ error) {
	select {
	case <-d.old.died():
		d.old.bury()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	within, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	a := asker{store: next.store(), oneByOne: d.oneByOne}
	d.oneByOne = true // if the process dies of it
	g, first := errgroup.WithContext(within)
	g.SetLimit(replayAtOnce)
	if a.oneByOne {
		g.SetLimit(1)
	}
	for _, c := range d.all {
		if c.settled {
			continue
		}
		if c.unsent = shared.NeverSent(c.err); c.unsent || len(c.writes) == 0 {
			c.settled = true
			continue
		}
		if i := slices.IndexFunc(c.writes, func(w keyEntry) bool { return q.bars(w.key) }); i >= 0 {
			c.settled, c.err = true, quarantined(c.writes[i].key)
			continue
		}
		g.Go(func() error {
			err := first.Err()
			if err == nil || within.Err() != nil {
				err = a.lookFor(within, c.writes)
			}
			switch {
			case err != nil && (isDead(next) || errors.Is(err, shared.ErrBroken) || ctx.Err() != nil || first.Err() != nil && within.Err() == nil):
				return err
			case err != nil && within.Err() != nil:
				err = fmt.Errorf("%w: the plugin died meanwhile, and the next does not tell what became of the call", cache.ErrUnavailable)
			}
			c.settled, c.err = true, err
			return nil
		})
	}
	err := g.Wait()
	return a.unanswered, err
}

// errNotThere: the key is not as the write would leave it.
var errNotThere = fmt.Errorf("%w: the plugin died meanwhile, and the key does not hold what was to be written", cache.ErrUnavailable)

// asker asks a process what keys hold.
type asker struct {
	store    cache.Store
	oneByOne bool // not in batches

	mu         sync.Mutex
	unanswered []string
}

// lookFor returns nil if the keys are as the writes would leave them.
func (a *asker) lookFor(ctx context.Context, writes []keyEntry) error {
	last := make(map[string]*cache.Entry, len(writes))
	var keys []string
	for _, w := range writes {
		if _, twice := last[w.key]; !twice {
			keys = append(keys, w.key)
		}
		last[w.key] = w.entry
	}
	now := time.Now()
	for some := range slices.Chunk(keys, a.atOnce(keys)) {
		found, err := cache.GetMany(ctx, a.store, some)
		if err != nil {
			a.mu.Lock()
			a.unanswered = append(a.unanswered, some...)
			a.mu.Unlock()
			return err
		}
		for i, f := range found {
			if !leaves(last[some[i]], f, now) {
				return errNotThere
			}
		}
	}
	return nil
}

func (a *asker) atOnce(keys []string) int {
	if a.oneByOne {
		return 1
	}
	return max(1, len(keys))
}

// leaves reports whether a write of e, or of nothing, leaves a key as it was found.
// Expiries are compared as the wire tells them, in milliseconds.
func leaves(e *cache.Entry, found cache.Lookup, now time.Time) bool {
	switch {
	case e == nil || !e.Expires.IsZero() && !e.Expires.After(now):
		return !found.Found
	case !found.Found:
		return false
	}
	is := found.Entry
	return bytes.Equal(e.Value, is.Value) && cache.ExpiryMillis(e.Expires) == cache.ExpiryMillis(is.Expires)
}

// sendings is how often a call is sent at most. What kills one process after the
// other before it is even sent on is itself to blame.
const sendings = 3

// outcome waits until a process serves again. It reports whether the call, which
// was sent so often, is to be made again; or else its error.
func (s *Store) outcome(ctx context.Context, c *doubt, sent int) (again bool, _ error) {
	_, err := s.current(ctx, false)
	switch {
	case errors.Is(err, context.Canceled):
		return false, err
	case err != nil:
		return false, s.failed(unknownOutcome(err))
	case c.unsent && sent < sendings:
		return true, nil
	case c.unsent:
		return false, s.failed(fmt.Errorf("%w; it was not done", c.err))
	case c.err != nil:
		return false, s.failed(unknownOutcome(c.err))
	}
	return false, nil
}

func unknownOutcome(err error) error { return fmt.Errorf("%w; whether it was done is unknown", err) }
