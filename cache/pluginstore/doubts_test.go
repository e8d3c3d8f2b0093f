package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// What becomes of a call that a process of a shared store had not answered when
// it died.
func TestCallsInDoubt(t *testing.T) {
	var (
		set = func(s *Store) error { return s.Set(context.Background(), "k", entry("new")) }
		del = func(s *Store) error { return s.Delete(context.Background(), "k") }
		add = func(s *Store) error {
			_, _, err := s.Increment(context.Background(), "k", 1, time.Time{})
			return err
		}
		swap = func(s *Store) error {
			_, err := s.CompareAndSwap(context.Background(), "k", []byte("1"), entry("new"))
			return err
		}
	)
	const others = "others" // what somebody else writes before the next process starts
	for _, c := range []struct {
		name, wire         string
		call               func(*Store) error
		done, unsent, over bool
		unknown            bool
		left               string
	}{
		{name: "a Set that was done", wire: "Set", call: set, done: true, left: "new"},
		{name: "a Set that others wrote over", wire: "Set", call: set, done: true, over: true, unknown: true, left: others},
		{name: "a Set that was not done", wire: "Set", call: set, unknown: true, left: "1"},
		{name: "a Set that was not sent", wire: "Set", call: set, unsent: true, left: "new"},
		{name: "a Delete that was done", wire: "Delete", call: del, done: true},
		{name: "a Delete after which others wrote", wire: "Delete", call: del, done: true, over: true, unknown: true, left: others},
		{name: "a Delete that was not done", wire: "Delete", call: del, unknown: true, left: "1"},
		{name: "a Delete that was not sent", wire: "Delete", call: del, unsent: true},
		{name: "an Increment that was done", wire: "Increment", call: add, done: true, unknown: true, left: "2"},
		{name: "an Increment that was not done", wire: "Increment", call: add, unknown: true, left: "1"},
		{name: "an Increment that was not sent", wire: "Increment", call: add, unsent: true, left: "2"},
		{name: "a swap that was done", wire: "CompareAndSwap", call: swap, done: true, unknown: true, left: "new"},
		{name: "a swap that was not sent", wire: "CompareAndSwap", call: swap, unsent: true, left: "new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakes{t: t, data: newData(t), make: sharedStore}
				s := openFake(t, Options{}, f.launch)
				put(t, s, "k", "1")
				held := f.last().wire.add(&held{method: c.wire, key: "k", done: c.done, unsent: c.unsent})
				called := async(func() error { return c.call(s) })
				<-held.arrived
				f.last().die()
				if c.over {
					put(t, f.data, "k", others)
				}
				time.Sleep(time.Second)
				err := errorOf(t, called)
				switch {
				case !c.unknown && err != nil:
					t.Errorf("it failed: %v", err)
				case c.unknown && (!errors.Is(err, cache.ErrUnavailable) || !strings.HasSuffix(err.Error(), "whether it was done is unknown")):
					t.Errorf("its error is: %v", err)
				}
				finds(t, s, "k", c.left)
				serves(t, s, 2)
			})
		})
	}
}

// What has expired by then is not there.
func TestDoubtOfWhatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t), make: sharedStore}
		s := openFake(t, Options{}, f.launch)
		held := f.last().wire.hold("Set", "k", true)
		e := entry("v")
		e.Expires = time.Now().Add(10 * time.Millisecond)
		called := async(func() error { return s.Set(t.Context(), "k", e) })
		<-held.arrived
		f.last().die()
		time.Sleep(time.Second)
		if err := errorOf(t, called); err != nil {
			t.Error(err)
		}
	})
}

// An expiry belongs to what was to be written.
func TestDoubtOfAnExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t), make: sharedStore}
		s := openFake(t, Options{}, f.launch)
		put(t, s, "k", "v")
		held := f.last().wire.hold("Set", "k", false)
		e := entry("v")
		e.Expires = time.Now().Add(time.Hour)
		called := async(func() error { return s.Set(t.Context(), "k", e) })
		<-held.arrived
		f.last().die()
		time.Sleep(time.Second)
		if err := errorOf(t, called); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("the key holds the value for ever, and the Set for an hour: %v", err)
		}
	})
}

// No other call of the host comes between a call in doubt and its outcome, and
// none of them is lost sight of when the next process dies as well.
func TestDoubtsComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t), make: sharedStore}
		s := openFake(t, Options{}, f.launch)
		put(t, s, "gone", "v")
		set := f.last().wire.hold("Set", "k", true)
		del := f.last().wire.hold("Delete", "gone", true)
		calls := []<-chan error{
			async(func() error { return s.Set(t.Context(), "k", entry("new")) }),
			async(func() error { return s.Delete(t.Context(), "gone") }),
		}
		<-set.arrived
		<-del.arrived

		looks := make(chan *held, 2) // of the next two processes
		f.making(func(p *fakePlug) {
			sharedStore(p)
			looks <- p.wire.hold("Get", "k", false)
		})
		f.last().die()
		synctest.Wait()
		later := async(func() error { return s.Set(t.Context(), "k", entry("later")) })
		time.Sleep(250 * time.Millisecond)
		<-(<-looks).arrived
		f.last().die()
		time.Sleep(500 * time.Millisecond)
		look := <-looks
		<-look.arrived
		finds(t, f.data, "k", "new")
		close(look.let)
		for i, c := range append(calls, later) {
			if err := errorOf(t, c); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
		finds(t, s, "k", "later")
		finds(t, s, "gone", "")
		serves(t, s, 3)
	})
}

// A store that answers that it cannot tell, because its server is down, serves
// all the same.
func TestDoubtsThatCannotBeSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t), make: sharedStore}
		s := openFake(t, Options{}, f.launch)
		held := f.last().wire.hold("Set", "k", true)
		called := async(func() error { return s.Set(t.Context(), "k", entry("new")) })
		<-held.arrived
		down := fmt.Errorf("%w: the server is down", cache.ErrUnavailable)
		f.making(func(p *fakePlug) {
			sharedStore(p)
			p.wire.failing(func(method, _ string) error {
				if method == "Get" {
					return down
				}
				return nil
			})
		})
		f.last().die()
		time.Sleep(time.Second)
		if err := errorOf(t, called); !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "the server is down") {
			t.Errorf("its error is: %v", err)
		}
		serves(t, s, 2)
	})
}

// However many there are, those that a process which dies at once did not settle
// are settled by the one after.
func TestManyDoubts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t), make: sharedStore}
		s := openFake(t, Options{}, f.launch)
		var calls []<-chan error
		for i := range 3 * replayAtOnce {
			key := fmt.Sprint(i)
			held := f.last().wire.hold("Set", key, true)
			calls = append(calls, async(func() error { return s.Set(t.Context(), key, entry("v")) }))
			<-held.arrived
		}
		f.making(func(p *fakePlug) {
			sharedStore(p)
			if p.id == 2 {
				p.wire.failing(func(_, key string) error {
					if key == "0" {
						return nil
					}
					return fmt.Errorf("%w: %w", cache.ErrUnavailable, shared.ErrBroken)
				})
			}
		})
		f.last().die()
		time.Sleep(1500 * time.Millisecond)
		for i, c := range calls {
			if err := errorOf(t, c); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
		serves(t, s, 3)
	})
}

// A process that does not answer while it is to settle serves all the same, and
// before the callers lose their patience.
func TestDoubtsThatAreNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t), make: sharedStore}
		s := openFake(t, Options{}, f.launch)
		held := f.last().wire.hold("Set", "k", true)
		called := async(func() error { return s.Set(t.Context(), "k", entry("v")) })
		<-held.arrived
		f.making(func(p *fakePlug) {
			sharedStore(p)
			p.wire.hold("Get", "k", false)
		})
		f.last().die()
		synctest.Wait()
		waits := async(func() error { return s.Set(t.Context(), "other", entry("v")) })
		time.Sleep(shared.CallTimeout)
		if err := errorOf(t, called); !errors.Is(err, cache.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("its error is: %v", err)
		}
		if err := errorOf(t, waits); err != nil {
			t.Errorf("another call: %v", err)
		}
	})
}

func TestCloseWithDoubts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t), make: sharedStore}
		s := openFake(t, Options{}, f.launch)
		set := f.last().wire.hold("Set", "k", true)
		called := async(func() error { return s.Set(t.Context(), "k", entry("v")) })
		<-set.arrived
		looks := make(chan *held, 1)
		f.making(func(p *fakePlug) {
			sharedStore(p)
			looks <- p.wire.hold("Get", "k", false)
		})
		f.last().die()
		time.Sleep(time.Second / 2)
		<-(<-looks).arrived
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := errorOf(t, called); !errors.Is(err, cache.ErrClosed) {
			t.Errorf("its error is: %v", err)
		}
	})
}

// What kills each process before it is sent on is given up when two have died of
// it, and was not done.
func TestCallThatKills(t *testing.T) {
	calls := map[string]func(*Store) error{
		"Set": func(s *Store) error { return s.Set(context.Background(), "poison", entry("v")) },
		"Increment": func(s *Store) error {
			_, _, err := s.Increment(context.Background(), "poison", 1, time.Time{})
			return err
		},
	}
	for method, call := range calls {
		synctest.Test(t, func(t *testing.T) {
			f := &fakes{t: t, data: newData(t), make: func(p *fakePlug) {
				sharedStore(p)
				held := p.wire.add(&held{method: method, key: "poison", unsent: true})
				go func() {
					select {
					case <-held.arrived:
						p.die()
					case <-p.gone:
					}
				}()
			}}
			s := openFake(t, Options{}, f.launch)
			called := async(func() error { return call(s) })
			time.Sleep(10 * time.Second)
			if err := errorOf(t, called); !errors.Is(err, ErrQuarantined) || strings.Contains(err.Error(), "unknown") {
				t.Errorf("its error is: %v", err)
			}
			finds(t, f.data, "poison", "")
			serves(t, s, 3)
		})
	}
}

// Who does not wait for the outcome leaves it open.
func TestDoubtThatNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t), make: sharedStore}
		s := openFake(t, Options{Restart: Restart{MinDelay: time.Minute, MaxDelay: time.Minute}}, f.launch)
		held := f.last().wire.add(&held{method: "Set", key: "k", unsent: true})
		ctx, cancel := context.WithCancel(t.Context())
		given := async(func() error { return s.Set(ctx, "k", entry("v")) })
		waits := async(func() error { return s.Set(t.Context(), "k", entry("v")) })
		<-held.arrived
		<-held.arrived
		f.last().die()
		synctest.Wait()
		cancel()
		if err := errorOf(t, given); !errors.Is(err, context.Canceled) {
			t.Errorf("the call that was given up: %v", err)
		}
		time.Sleep(3 * time.Second)
		if err := errorOf(t, waits); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("the call that waited long enough: %v", err)
		}
		time.Sleep(time.Minute)
		serves(t, s, 2)
		finds(t, s, "k", "")
	})
}

// A batch is done if all of it is, the last write of each key.
func TestBatchesInDoubt(t *testing.T) {
	items := []cache.Item{{Key: "a", Entry: entry("0")}, {Key: "a", Entry: entry("1")}, {Key: "b", Entry: entry("2")}}
	for _, done := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakes{t: t, data: newData(t), make: sharedStore}
			s := openFake(t, Options{}, f.launch)
			// The fake does a batch in its parts, in their order.
			held := f.last().wire.hold("Set", "b", done)
			called := async(func() error { return s.SetMany(t.Context(), items) })
			<-held.arrived
			f.last().die()
			time.Sleep(time.Second)
			if err := errorOf(t, called); (err == nil) != done {
				t.Errorf("the last was done: %v; the batch: %v", done, err)
			}
		})
	}
}
