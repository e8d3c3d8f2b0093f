package pluginstore

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// What memory cannot stand in for: only the plugin has the value that an
// atomic operation depends on, and all the keys.

// SetIfAbsent implements cache.Adder.
func (s *Store) SetIfAbsent(ctx context.Context, key string, e cache.Entry) (stored bool, err error) {
	err = s.only(ctx, cache.CanAdd, onKey(key), func(to cache.Store) (err error) {
		stored, err = cache.SetIfAbsent(ctx, to, key, e)
		return err
	})
	return stored && err == nil, err
}

// CompareAndSwap implements cache.Swapper.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old []byte, e cache.Entry) (swapped bool, err error) {
	err = s.only(ctx, cache.CanSwap, onKey(key), func(to cache.Store) (err error) {
		swapped, err = cache.CompareAndSwap(ctx, to, key, old, e)
		return err
	})
	return swapped && err == nil, err
}

// CompareAndDelete implements cache.Swapper.
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (deleted bool, err error) {
	err = s.only(ctx, cache.CanSwap, onKey(key), func(to cache.Store) (err error) {
		deleted, err = cache.CompareAndDelete(ctx, to, key, old)
		return err
	})
	return deleted && err == nil, err
}

// Increment implements cache.Counter.
func (s *Store) Increment(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (n int64, expires time.Time, err error) {
	err = s.only(ctx, cache.CanCount, onKey(key), func(to cache.Store) (err error) {
		n, expires, err = cache.Increment(ctx, to, key, delta, expiresIfNew)
		return err
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	return n, expires, nil
}

// Touch implements cache.Toucher.
func (s *Store) Touch(ctx context.Context, key string, expires time.Time) (found bool, err error) {
	err = s.only(ctx, cache.CanTouch, onKey(key), func(to cache.Store) (err error) {
		found, err = cache.Touch(ctx, to, key, expires)
		return err
	})
	return found && err == nil, err
}

// Clear implements cache.Clearer.
func (s *Store) Clear(ctx context.Context, prefix string) error {
	return s.only(ctx, cache.CanClear, onPrefix(prefix), func(to cache.Store) error {
		return s.quarantine.clearing(ctx, func() error {
			err := cache.Clear(ctx, to, prefix)
			if err == nil {
				s.quarantine.cleared(prefix)
			}
			return err
		})
	})
}

// Flush implements cache.Flusher.
func (s *Store) Flush(ctx context.Context) error {
	return s.only(ctx, cache.CanFlush, onNoKey, func(to cache.Store) error { return cache.Flush(ctx, to) })
}

// Scan implements cache.Scanner.
func (s *Store) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		more := true
		err := s.only(ctx, cache.CanScan, onNoKey, func(to cache.Store) error {
			for key, err := range cache.Scan(ctx, to, prefix) {
				if err != nil {
					return err
				}
				if more = yield(key, nil); !more {
					return nil
				}
			}
			return nil
		})
		if err != nil && more {
			yield("", err)
		}
	}
}

// Watch implements cache.Watcher. It ends with the plugin's process, whichever
// way that ends.
func (s *Store) Watch(ctx context.Context) iter.Seq2[cache.Change, error] {
	return func(yield func(cache.Change, error) bool) {
		more := true
		err := s.only(ctx, cache.CanWatch, notCounted, func(to cache.Store) error {
			for change, err := range cache.Watch(ctx, to) {
				if err != nil {
					return err
				}
				if more = yield(change, nil); !more {
					return nil
				}
			}
			return nil
		})
		if err != nil && more {
			yield(cache.Change{}, err)
		}
	}
}

// counted is how a call is counted while it is in flight: enter reports false
// if the plugin is to be sent nothing any more, and fence comes before leave if the
// call failed.
type counted struct {
	// pass waits behind fences; see route.pass.
	pass  func(context.Context, *route) (bool, error)
	enter func(*inFlight) (bool, <-chan struct{}) // see inFlight.begin
	leave func(*inFlight)
	// fence keeps others from what the call may still do if it failed without an
	// answer.
	fence func(r *route, err error)
	// key is what the call is on; "": not one key.
	key string
	// again: it is made again if it certainly was not sent.
	again bool
}

var (
	onNoKey = counted{
		pass:  unfenced,
		enter: func(f *inFlight) (bool, <-chan struct{}) { return f.enter(), nil },
		leave: (*inFlight).leave,
		fence: func(*route, error) {},
	}
	notCounted = counted{
		pass:  unfenced,
		enter: func(*inFlight) (bool, <-chan struct{}) { return true, nil },
		leave: func(*inFlight) {},
		fence: func(*route, error) {},
	}
)

func onPrefix(prefix string) counted {
	return counted{
		// What a fence stands for must not be done after the call.
		pass:  func(ctx context.Context, r *route) (bool, error) { return r.passAll(ctx, (*fences).oldest) },
		enter: func(f *inFlight) (bool, <-chan struct{}) { return f.beginAll(), nil },
		leave: (*inFlight).endAll,
		fence: func(r *route, err error) { r.inFlight.fences.raiseAll(err, prefix) },
	}
}

// keys are those that the call is on, if they are known.
func (c *counted) keys() []string {
	if c.key == "" {
		return nil
	}
	return []string{c.key}
}

func unfenced(context.Context, *route) (bool, error) { return true, nil }

func onKey(key string) counted {
	return counted{
		pass:  func(ctx context.Context, r *route) (bool, error) { return r.pass(ctx, key) },
		enter: func(f *inFlight) (bool, <-chan struct{}) { return f.begin(key, nil) },
		leave: func(f *inFlight) { f.end(key) },
		fence: func(r *route, err error) { r.fence(err, key) },
		key:   key,
		again: true,
	}
}

// only makes a call that goes to the plugin or fails.
func (s *Store) only(ctx context.Context, need cache.Capability, count counted, call func(cache.Store) error) error {
	for sent := 0; ; {
		if err := s.declared(need); err != nil {
			return err
		}
		r, err := s.current(ctx, false)
		if err != nil {
			return err
		}
		if r.inFlight == nil {
			return s.failed(call(r.plug.store()))
		}
		if ok, err := count.pass(ctx, r); err != nil {
			return err
		} else if !ok {
			continue // the route is another by now
		}
		var turn turn
		if count.key != "" {
			var ok bool
			if turn, ok, err = s.quarantine.enter(ctx, r, count.key); err != nil {
				return err
			} else if !ok {
				continue
			}
		}
		if ok, busy := count.enter(r.inFlight); !ok {
			turn.giveUp()
			if err := r.awaitTurn(ctx, busy); err != nil {
				return err
			}
			continue
		}
		sent++
		c, err := s.once(ctx, r, count, func(to cache.Store) error {
			err := call(to)
			turn.end(err)
			return err
		})
		if c != nil {
			var again bool
			if again, err = s.outcome(ctx, c, sent); again {
				continue
			}
		}
		return s.failed(err)
	}
}

// once makes a call to the process of r, and returns its error, or the doubt that
// the next process settles.
func (s *Store) once(ctx context.Context, r *route, count counted, call func(cache.Store) error) (*doubt, error) {
	defer count.leave(r.inFlight)
	err := call(r.plug.store())
	if err != nil {
		count.fence(r, err)
	}
	switch {
	case err == nil:
	case s.lost(ctx, r, err, count.keys()...):
		if count.again {
			if c := s.doubt(r, nil, err); c != nil {
				return c, nil
			}
		}
		err = unknownOutcome(s.gone(err))
	case isUnanswered(err):
		if count.key != "" {
			r.abandon([]keyEntry{{key: count.key}})
		}
		if errors.Is(err, shared.ErrNoAnswer) {
			err = unknownOutcome(err)
		}
	}
	return nil, err
}
