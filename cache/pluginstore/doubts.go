package pluginstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
// A call that certainly was not sent on is made again. To set a key again that may
// have been set would be wrong: others may have read it, and then what somebody
// wrote over it, and would read the older value once more. But if the key holds
// what was to be written, that is as good as done. A delete is done again: what it
// takes is a miss at the worst. Of all else the outcome stays unknown.
type doubts struct {
	died <-chan struct{} // closed when the process has exited

	mu  sync.Mutex
	all []*doubt
}

// doubt is one call.
type doubt struct {
	writes []keyEntry // none: an atomic operation
	err    error      // of the call
	// Set before a process serves again:
	settled, again bool
}

// add takes a call that failed with err. It comes before the call's end is
// counted.
func (d *doubts) add(writes []keyEntry, err error) *doubt {
	c := &doubt{writes: writes, err: err}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, c)
	return c
}

// settle settles all calls with the process that comes after. Its error is that
// of a process that serves no more.
func (d *doubts) settle(ctx context.Context, next plug) error {
	select {
	case <-d.died:
	case <-ctx.Done():
		return ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	within, cancel := context.WithTimeout(ctx, shared.CallTimeout)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(replayAtOnce)
	for _, c := range d.all {
		switch {
		case c.settled:
			continue
		case shared.NeverSent(c.err):
			c.again = true
		case len(c.writes) > 0:
			g.Go(func() error {
				err := settleWrites(within, next.store(), c.writes)
				if err != nil && (isDead(next) || errors.Is(err, shared.ErrBroken)) {
					c.settled = false // the next but one will
					return err
				}
				c.err = err
				return nil
			})
		}
		c.settled = true
	}
	return g.Wait()
}

var errOverwritten = fmt.Errorf("%w: the plugin died meanwhile, and the key holds another value", cache.ErrUnavailable)

// settleWrites returns nil if writes are as good as done.
func settleWrites(ctx context.Context, store cache.Store, writes []keyEntry) error {
	var sets, deletes []string
	var wanted []cache.Entry
	for _, w := range writes {
		if w.entry == nil {
			deletes = append(deletes, w.key)
		} else {
			sets, wanted = append(sets, w.key), append(wanted, *w.entry)
		}
	}
	if err := cache.DeleteMany(ctx, store, deletes); err != nil {
		return err
	}
	found, err := cache.GetMany(ctx, store, sets)
	if err != nil {
		return err
	}
	for i, f := range found {
		if !f.Found || !holdsEntry(f.Entry, wanted[i]) {
			return errOverwritten
		}
	}
	return nil
}

// holdsEntry compares entries as the wire does, which tells expiries in
// milliseconds.
func holdsEntry(a, b cache.Entry) bool {
	return bytes.Equal(a.Value, b.Value) && a.Expires.IsZero() == b.Expires.IsZero() &&
		a.Expires.Sub(b.Expires).Abs() < time.Millisecond
}

// outcome waits until a process serves again, and returns whether the call is
// to be made again, or its error.
func (s *Store) outcome(ctx context.Context, c *doubt) (again bool, _ error) {
	_, err := s.current(ctx, false)
	if err == nil {
		again, err = c.again, c.err
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w; whether it was done is unknown", err)
	}
	return again, s.failed(err)
}
