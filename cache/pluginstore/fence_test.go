package pluginstore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// A call that takes too long fails alone: its process lives, and no other key
// notices. Later calls on its key wait, so a late effect is never on top of a newer
// value.
func TestSlowWriteFailsAlone(t *testing.T) {
	for _, o := range []Options{{}, {Fallback: FallbackNone}} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakes{t: t, data: newData(t)}
			s := openFake(t, o, f.launch)
			put(t, s, "normal", "v")
			held := f.last().wire.hold("Set", "slow", false)
			before := time.Now()
			err := s.Set(t.Context(), "slow", entry("first"))
			if took := time.Since(before); took != shared.CallTimeout {
				t.Errorf("it took %v", took)
			}
			if !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "unknown") {
				t.Errorf("the slow write: %v", err)
			}
			for _, call := range map[string]func() error{
				"Get":       func() error { _, _, err := s.Get(t.Context(), "slow"); return err },
				"Set":       func() error { return s.Set(t.Context(), "slow", entry("x")) },
				"GetMany":   func() error { _, err := s.GetMany(t.Context(), []string{"normal", "slow"}); return err },
				"SetMany":   func() error { return s.SetMany(t.Context(), []cache.Item{{Key: "slow"}}) },
				"Increment": func() error { _, _, err := s.Increment(t.Context(), "slow", 1, time.Time{}); return err },
				"Clear":     func() error { return s.Clear(t.Context(), "") },
			} {
				before := time.Now()
				if err := call(); !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "has not answered it yet") {
					t.Errorf("another call on the key: %v", err)
				}
				if took := time.Since(before); took != shared.CallTimeout {
					t.Errorf("it took %v", took)
				}
			}
			if n := len(held.arrived); n != 1 {
				t.Errorf("%d calls on the slow key are in the plugin", n)
			}
			before = time.Now()
			finds(t, s, "normal", "v")
			put(t, s, "normal", "w")
			if took := time.Since(before); took != 0 {
				t.Errorf("another key took %v", took)
			}
			second := async(func() error { return s.Set(t.Context(), "slow", entry("second")) })
			synctest.Wait()
			f.last().wire.release(held)
			if err := errorOf(t, second); err != nil {
				t.Errorf("after the answer: %v", err)
			}
			finds(t, s, "slow", "second")
			serves(t, s, 1)
			if n := len(f.last().wire.held); n != 0 || s.route.Load().inFlight.fences.count.Load() != 0 {
				t.Error("a fence stands, and nothing is under way")
			}
		})
	}
}

// A Clear that takes too long may still remove what is written after it: its keys
// are fenced, and no others.
func TestSlowClearFailsAlone(t *testing.T) {
	for _, durable := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakes{t: t, data: newData(t)}
			f.making(func(p *fakePlug) { p.known.Durable = durable })
			s := openFake(t, Options{}, f.launch)
			put(t, s, "a:1", "old")
			put(t, s, "b:1", "v")
			held := f.last().wire.hold("Clear", "a:", false)
			if err := s.Clear(t.Context(), "a:"); !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "unknown") {
				t.Errorf("the slow Clear: %v", err)
			}
			for name, call := range map[string]func() error{
				"Set":       func() error { return s.Set(t.Context(), "a:1", entry("lost")) },
				"SetMany":   func() error { return s.SetMany(t.Context(), []cache.Item{{Key: "a:2"}}) },
				"Increment": func() error { _, _, err := s.Increment(t.Context(), "a:3", 1, time.Time{}); return err },
				"Get":       func() error { _, _, err := s.Get(t.Context(), "a:1"); return err },
				"Clear":     func() error { return s.Clear(t.Context(), "") },
			} {
				if err := call(); !errors.Is(err, ErrInDoubt) {
					t.Errorf("%s of a key that may be cleared: %v", name, err)
				}
			}
			put(t, s, "b:1", "w")
			finds(t, s, "b:1", "w")
			waits := async(func() error { return s.Set(t.Context(), "a:1", entry("new")) })
			synctest.Wait()
			f.last().wire.release(held)
			if err := errorOf(t, waits); err != nil {
				t.Error(err)
			}
			finds(t, s, "a:1", "new")
			if n := s.route.Load().inFlight.fences.count.Load(); n != 0 {
				t.Errorf("%d fences stand", n)
			}
			// Of what is written from now on a death leaves no doubt.
			f.last().wire.hold("Set", "a:1", false)
			last := async(func() error { return s.Set(t.Context(), "a:1", entry("last")) })
			synctest.Wait()
			f.last().die()
			if err := errorOf(t, last); err != nil {
				t.Error(err)
			}
			time.Sleep(5 * time.Second)
			serves(t, s, 2)
			finds(t, s, "a:1", "last")
		})
	}
}

// The end of a caller's context fences the key as well.
func TestNothingOvertakesAWriteThatWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t)}
		s := openFake(t, Options{}, f.launch)
		held := f.last().wire.hold("Set", "k", false)
		ctx, cancel := context.WithCancel(t.Context())
		first := async(func() error { return s.Set(ctx, "k", entry("first")) })
		synctest.Wait()
		cancel()
		if err := errorOf(t, first); !errors.Is(err, context.Canceled) {
			t.Errorf("the write that was given up: %v", err)
		}
		brief, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, _, err := s.Get(brief, "k"); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("a read before the answer: %v", err)
		}
		second := async(func() error { return s.Set(t.Context(), "k", entry("second")) })
		synctest.Wait()
		f.last().wire.release(held)
		if err := errorOf(t, second); err != nil {
			t.Errorf("the second write: %v", err)
		}
		finds(t, s, "k", "second")
		// Nothing is left of it at a death: the key is not emptied.
		held = f.last().wire.hold("Set", "k", true)
		third := async(func() error { return s.Set(t.Context(), "k", entry("third")) })
		<-held.arrived
		f.last().die()
		if err := errorOf(t, third); err != nil {
			t.Errorf("the third write: %v", err)
		}
		finds(t, s, "k", "third")
	})
}

// A process that has died takes its fences with it, and what was given up is
// either done or not.
func TestFencesEndWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t)}
		s := openFake(t, Options{}, f.launch)
		put(t, s, "k", "before")
		f.last().wire.hold("Set", "k", false)
		if err := s.Set(t.Context(), "k", entry("late")); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Set: %v", err)
		}
		waiting := async(func() error { return s.Set(t.Context(), "k", entry("newer")) })
		synctest.Wait()
		f.last().die()
		if err := errorOf(t, waiting); err != nil {
			t.Errorf("a write that waited for the answer: %v", err)
		}
		time.Sleep(time.Second)
		serves(t, s, 2)
		finds(t, s, "k", "newer")
	})
}

// Nor does another process that has taken over overtake it, as long as the one
// before it runs.
func TestFencesOutliveAReplacement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t)}
		f.making(func(p *fakePlug) { p.known.Exclusive = false })
		s := openFake(t, Options{}, f.launch)
		old := f.last()
		held := old.wire.hold("Set", "k", false)
		if err := s.Set(t.Context(), "k", entry("late")); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Set: %v", err)
		}
		next := newFakePlug(2, f.data)
		next.known.Exclusive = false
		if err := s.serve(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func() error{
			"Set":   func() error { return s.Set(t.Context(), "k", entry("newer")) },
			"Get":   func() error { _, _, err := s.Get(t.Context(), "k"); return err },
			"Clear": func() error { return s.Clear(t.Context(), "") },
		} {
			if err := call(); !errors.Is(err, ErrInDoubt) {
				t.Errorf("%s beside a call of the process before: %v", name, err)
			}
		}
		put(t, s, "another", "v")
		answered := async(func() error { return s.Set(t.Context(), "k", entry("newer")) })
		synctest.Wait()
		old.wire.release(held)
		if err := errorOf(t, answered); err != nil {
			t.Error(err)
		}
		finds(t, s, "k", "newer")

		old.wire.hold("Get", "k", false)
		if _, _, err := old.wire.Get(t.Context(), "k"); err == nil || !s.route.Load().retiring.inFlight.fences.raise(err, []string{"k"}) {
			t.Errorf("Get: %v", err)
		}
		ended := async(func() error { return s.Set(t.Context(), "k", entry("newest")) })
		synctest.Wait()
		old.die()
		if err := errorOf(t, ended); err != nil {
			t.Error(err)
		}
		finds(t, s, "k", "newest")
		next.die()
	})
}

// A process that answers neither the call nor health checks is dead, and memory
// takes the call.
func TestWriteToAFrozenProcessGoesToMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t)}
		s := openFake(t, Options{Restart: Restart{MinDelay: time.Hour, MaxDelay: time.Hour}}, f.launch)
		put(t, s, "read", "v")
		p := f.last()
		p.answer(silent)
		p.wire.hold("Set", anyKey, false)
		p.wire.hold("Get", anyKey, false)
		read := async(func() error { _, _, err := s.Get(t.Context(), "read"); return err })
		if err := s.Set(t.Context(), "k", entry("v")); err != nil {
			t.Errorf("Set: %v", err)
		}
		if !isDead(p) {
			t.Error("the process lives")
		}
		if err := errorOf(t, read); err != nil {
			t.Errorf("Get: %v", err)
		}
		finds(t, s, "k", "v")
		finds(t, s, "read", "")
	})
}

// So does one that waited for the call before it, at a fence or for its turn.
func TestCallBehindAFrozenProcessGoesToMemory(t *testing.T) {
	for _, durable := range []bool{false, true} {
		for name, call := range map[string]func(context.Context, *Store) error{
			"Set":     func(ctx context.Context, s *Store) error { return s.Set(ctx, "k", entry("w")) },
			"SetMany": func(ctx context.Context, s *Store) error { return s.SetMany(ctx, []cache.Item{{Key: "k"}, {Key: "l"}}) },
			"Get":     func(ctx context.Context, s *Store) error { _, _, err := s.Get(ctx, "k"); return err },
			"GetMany": func(ctx context.Context, s *Store) error { _, err := s.GetMany(ctx, []string{"k", "l"}); return err },
		} {
			synctest.Test(t, func(t *testing.T) {
				f := &fakes{t: t, data: newData(t)}
				f.making(func(p *fakePlug) { p.known.Durable = durable })
				s := openFake(t, Options{Restart: Restart{MinDelay: time.Hour, MaxDelay: time.Hour}}, f.launch)
				p := f.last()
				p.wire.hold("Set", "k", false)
				p.wire.hold("SetMany", "k", false)
				soon, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := s.Set(soon, "k", entry("v")); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the first write: %v", err)
				}
				waits := async(func() error { return call(t.Context(), s) })
				time.Sleep(shared.CallTimeout - time.Millisecond)
				p.answer(silent)
				p.wire.hold("Get", anyKey, false)
				if err := <-waits; err != nil {
					t.Errorf("%s, durable: %v: %v", name, durable, err)
				}
				if !isDead(p) {
					t.Error("the process lives")
				}
			})
			synctest.Test(t, func(t *testing.T) {
				f := &fakes{t: t, data: newData(t)}
				f.making(func(p *fakePlug) { p.known.Durable = durable })
				s := openFake(t, Options{Restart: Restart{MinDelay: time.Hour, MaxDelay: time.Hour}}, f.launch)
				p := f.last()
				p.answer(silent)
				for _, op := range []string{"Set", "SetMany", "Get", "GetMany"} {
					p.wire.hold(op, anyKey, false)
				}
				first := async(func() error { return s.Set(t.Context(), "k", entry("v")) })
				synctest.Wait()
				if err := call(t.Context(), s); err != nil {
					t.Errorf("%s at once, durable: %v: %v", name, durable, err)
				}
				if err := <-first; err != nil {
					t.Errorf("the first: %v", err)
				}
			})
		}
	}
}

// A read without an answer is an outage and no miss, and ends no process; but the
// process's health is asked for.
func TestReadWithoutAnswerFailsAlone(t *testing.T) {
	for _, exclusive := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakes{t: t, make: func(p *fakePlug) { p.known.Exclusive = exclusive }}
			s := openFake(t, Options{}, f.launch)
			put(t, s, "k", "v")
			checked := make(chan time.Time, 100)
			f.last().answer(func(context.Context) error { checked <- time.Now(); return nil })
			held := f.last().wire.hold("Get", "k", false)
			if _, ok, err := s.Get(t.Context(), "k"); ok || !errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("Get, of a store that is exclusive: %v: %v, %v", exclusive, ok, err)
			}
			now := time.Now()
			serves(t, s, 1)
			if len(checked) != 1 || !(<-checked).Equal(now) {
				t.Errorf("there were %d checks", len(checked))
			}
			f.last().wire.release(held)
			finds(t, s, "k", "v")
		})
	}
}

// A call that hangs for ever costs its key, and the process after Options.Hang.
func TestHangEndsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t)}
		s := openFake(t, Options{Hang: time.Minute}, f.launch)
		f.last().wire.hold("Set", "k", false)
		if err := s.Set(t.Context(), "k", entry("v")); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Set: %v", err)
		}
		time.Sleep(time.Minute - healthInterval)
		serves(t, s, 1)
		time.Sleep(3 * healthInterval)
		serves(t, s, 2)
		if err := s.Status().Err; err == nil || !strings.Contains(err.Error(), "has not answered a call for more than 1m0s") {
			t.Errorf("the status has the error %v", err)
		}
	})
}

// What is slow in a replay holds up neither the rest of it nor the calls, and ends
// no process. When it has been waited for long enough the plugin serves without it;
// the key is fenced until it is answered, or a later process is told of it.
func TestReplayGoesOnPastASlowKey(t *testing.T) {
	for _, batches := range []bool{false, true} {
		for _, dies := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				f := &fakes{t: t, data: newData(t)}
				var held *held
				s := openFake(t, Options{}, f.launch)
				put(t, s, "old", "v")
				f.making(func(p *fakePlug) {
					if !batches {
						p.known.Capabilities &^= cache.CanBatch
					}
					held = p.wire.hold("Set", "slow", false)
				})
				f.last().die()
				synctest.Wait()
				put(t, s, "slow", "v")
				put(t, s, "normal", "v")
				time.Sleep(DefaultSilence / 2)
				put(t, s, "slow", "w") // over what is being told
				finds(t, s, "slow", "w")
				put(t, s, "later", "v")
				time.Sleep(time.Second)
				finds(t, f.data, "later", "v")
				if !s.Status().Fallback {
					t.Error("the plugin serves without what it has not been told")
				}
				time.Sleep(time.Minute)
				serves(t, s, 2)
				finds(t, s, "old", "v")
				for _, call := range []func() error{
					func() error { _, _, err := s.Get(t.Context(), "slow"); return err },
					func() error { return s.Set(t.Context(), "slow", entry("x")) },
				} {
					if err := call(); !errors.Is(err, ErrInDoubt) {
						t.Errorf("a call on the key that is being told: %v", err)
					}
				}
				f.making(nil)
				if dies {
					f.last().die()
					time.Sleep(5 * time.Second)
					serves(t, s, 3)
				} else {
					f.last().wire.release(held)
					time.Sleep(2 * healthInterval)
					serves(t, s, 2)
				}
				for _, key := range []string{"old", "normal", "later"} {
					finds(t, s, key, "v")
				}
				finds(t, s, "slow", "w")
				if n := s.quarantine.count.Load(); n != 0 {
					t.Errorf("%d keys are watched", n)
				}
			})
		}
	}
}

// A key that hangs in each process that is told of it costs them their lives after
// Hang, and goes into quarantine.
func TestReplayOfAKeyThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t)}
		s := openFake(t, Options{}, f.launch)
		put(t, s, "old", "v")
		f.making(func(p *fakePlug) { p.wire.hold("Set", "hangs", false) })
		f.last().die()
		synctest.Wait()
		put(t, s, "hangs", "v")
		time.Sleep(time.Hour)
		if n := f.count() - 1; n > 3 {
			t.Errorf("%d processes were started", n)
		}
		serves(t, s, f.count())
		finds(t, s, "old", "v")
		if got := s.Status().Quarantine; len(got) != 1 {
			t.Errorf("in quarantine are %v", got)
		}
	})
}
