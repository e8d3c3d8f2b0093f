package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// What calls meet while no process serves, by what may serve instead.

func sharedStore(p *fakePlug) { p.known.Exclusive = false }

// waited fails unless the call took as long as it should.
func waited(t *testing.T, what string, since time.Time, least, most time.Duration) {
	t.Helper()
	if took := time.Since(since); took < least || took > most {
		t.Errorf("%s took %v, want %v to %v", what, took, least, most)
	}
}

func TestReadInFlightAtDeath(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		make func(*fakePlug)
		ok   bool
		err  error
		wait time.Duration
	}{
		{"exclusive: memory misses", Options{}, nil, false, nil, 0},
		{"shared: the next process is asked", Options{}, sharedStore, true, nil, 250 * time.Millisecond},
		{"shared, with memory", Options{Fallback: FallbackMemory}, sharedStore, false, nil, 0},
		{"no fallback", Options{Fallback: FallbackNone}, nil, false, cache.ErrUnavailable, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakes{t: t, data: newData(t), make: c.make}
				s := openFake(t, c.o, f.launch)
				put(t, s, "k", "v")
				h := f.last().wire.hold("Get", "k", false)
				var ok bool
				call := async(func() (err error) { _, ok, err = s.Get(t.Context(), "k"); return err })
				<-h.arrived
				died := time.Now()
				f.last().die()
				err := <-call
				if ok != c.ok || !errors.Is(err, c.err) {
					t.Errorf("Get: %v, %v; want %v, %v", ok, err, c.ok, c.err)
				}
				waited(t, "Get", died, 0, c.wait)
			})
		})
	}
}

// A read fails over no exclusive store, however often its plugin dies.
func TestReadsSurviveOneDeathAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t)}
		s := openFake(t, Options{Restart: Restart{MinDelay: time.Millisecond}}, f.launch)
		f.making(func(p *fakePlug) { p.wire.hold("Get", "k", false) })
		first := f.last()
		late := first.wire.add(&held{method: "Get", key: "k", late: true})
		call := async(func() error { _, _, err := s.Get(t.Context(), "k"); return err })
		<-late.arrived
		first.die()
		time.Sleep(10 * time.Millisecond)
		serves(t, s, 2)
		// The read learns now, asks the second process, and that dies as well.
		close(late.let)
		<-f.last().wire.holds("Get", "k").arrived
		f.last().die()
		if err := errorOf(t, call); err != nil {
			t.Errorf("Get: %v", err)
		}
	})
}

// Who waits for a consumer must not make everybody wait for the plugin.
func TestScanThatIsNotReadOnDoesNotHoldUpTheRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t)}
		s := openFake(t, Options{}, f.launch)
		for i := range 10 {
			put(t, s, fmt.Sprint(i), "v")
		}
		resume := make(chan struct{})
		scan := async(func() error {
			for _, err := range s.Scan(context.WithoutCancel(t.Context()), "") {
				if err != nil {
					return err
				}
				<-resume
			}
			return nil
		})
		synctest.Wait()
		f.last().die()
		synctest.Wait()
		put(t, s, "meanwhile", "v")
		time.Sleep(time.Minute)
		serves(t, s, 2)
		close(resume)
		if err := errorOf(t, scan); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("the scan ended with %v", err)
		}
	})
}

func TestNoFallbackFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, make: func(p *fakePlug) { p.grace = exitGrace }}
		s := openFake(t, Options{Fallback: FallbackNone}, f.launch)
		f.last().die()
		synctest.Wait()
		// Only the first may have to wait until it is known why it died.
		for _, most := range []time.Duration{exitGrace, 0} {
			start := time.Now()
			_, _, get := s.Get(t.Context(), "k")
			_, _, add := s.Increment(t.Context(), "k", 1, time.Time{})
			for what, err := range map[string]error{
				"Get": get, "Set": s.Set(t.Context(), "k", entry("v")), "Delete": s.Delete(t.Context(), "k"),
				"Increment": add, "Clear": s.Clear(t.Context(), ""), "Ready": s.Ready(t.Context()),
			} {
				if !errors.Is(err, cache.ErrUnavailable) || !errors.Is(err, errKilled) {
					t.Errorf("%s: %v; want that it is unavailable, and why", what, err)
				}
			}
			waited(t, "all of them", start, 0, most)
		}
		time.Sleep(time.Second)
		serves(t, s, 2)
		put(t, s, "k", "v")
	})
}

func TestCallsWaitForTheProcessOfASharedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t), make: sharedStore}
		s := openFake(t, Options{}, f.launch)
		put(t, s, "k", "v")
		put(t, s, "deleted", "v")
		f.last().die()
		synctest.Wait()
		died := time.Now()
		var calls []<-chan error
		for range 10 {
			calls = append(calls,
				async(func() error { return s.Set(t.Context(), "new", entry("v")) }),
				async(func() error { return s.Delete(t.Context(), "deleted") }),
				async(func() error { _, _, err := s.Increment(t.Context(), "n", 1, time.Time{}); return err }),
				async(func() error {
					_, ok, err := s.Get(t.Context(), "k")
					if err == nil && !ok {
						err = errors.New("not found")
					}
					return err
				}))
		}
		for _, c := range calls {
			if err := <-c; err != nil {
				t.Error(err)
			}
		}
		waited(t, "waiting for the restart", died, 150*time.Millisecond, 250*time.Millisecond)
		finds(t, s, "new", "v")
		finds(t, s, "deleted", "")
		finds(t, s, "n", "10")
	})
}

func TestPatienceWithASharedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, make: sharedStore}
		s := openFake(t, Options{Restart: Restart{MinDelay: time.Hour}}, f.launch)
		f.last().die()
		synctest.Wait()
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		long, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, c := range []struct {
			name string
			ctx  context.Context
			err  error
			wait time.Duration
		}{
			{"cancelled", cancelled, context.Canceled, 0},
			{"a deadline", brief, context.DeadlineExceeded, time.Second},
			{"a late deadline", long, cache.ErrUnavailable, shared.CallTimeout},
			{"none", t.Context(), cache.ErrUnavailable, shared.CallTimeout},
		} {
			start := time.Now()
			if err := s.Set(c.ctx, "k", entry("v")); !errors.Is(err, c.err) {
				t.Errorf("%s: Set: %v, want %v", c.name, err, c.err)
			}
			waited(t, c.name, start, c.wait, c.wait)
		}
	})
}

// When the breaker opens nobody waits any more, also not who has begun to.
func TestNobodyWaitsForAPluginThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, make: sharedStore}
		starts := 0
		s := openFake(t, Options{Restart: Restart{MinDelay: 100 * time.Millisecond, Failures: 3}}, func() (*fakePlug, error) {
			if starts++; starts > 1 {
				return nil, errors.New("no license")
			}
			return f.launch()
		})
		f.last().die()
		synctest.Wait()
		died := time.Now()
		err := s.Set(t.Context(), "k", entry("v"))
		if !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Set: %v", err)
		}
		waited(t, "the call that waits", died, 200*time.Millisecond, 400*time.Millisecond)
		again := time.Now()
		if err := s.Delete(t.Context(), "k"); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Delete: %v", err)
		}
		waited(t, "the next", again, 0, 0)
		if st := s.Status(); st.State != Failed {
			t.Errorf("the status is %+v", st)
		}
	})
}

// Others may have written newer values meanwhile: what this host wrote is only
// emptied.
func TestMemoryForASharedStoreIsReplayedAsDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t), make: sharedStore}
		s := openFake(t, Options{Fallback: FallbackMemory}, f.launch)
		put(t, s, "untouched", "before")
		put(t, s, "ours", "before")
		f.last().die()
		synctest.Wait()
		put(t, s, "ours", "ours")
		put(t, s, "both", "ours")
		finds(t, s, "both", "ours")
		put(t, f.data, "both", "theirs")
		put(t, f.data, "theirs", "theirs")
		var sets []string
		f.making(func(p *fakePlug) {
			sharedStore(p)
			p.wire.failing(func(method, key string) error {
				if method == "Set" {
					sets = append(sets, key)
				}
				return nil
			})
		})
		time.Sleep(time.Second)
		serves(t, s, 2)
		for key, text := range map[string]string{"untouched": "before", "ours": "", "both": "", "theirs": "theirs"} {
			finds(t, s, key, text)
		}
		if len(sets) > 0 {
			t.Errorf("the replay has set %v", sets)
		}
	})
}

// A replay that fails is a failed start: memory serves on, and the next process
// is told all of it.
func TestReplayThatFailsIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t)}
		s := openFake(t, Options{}, f.launch)
		put(t, s, "k", "before")
		f.last().die()
		synctest.Wait()
		put(t, s, "k", "meanwhile")
		put(t, s, "l", "meanwhile")
		f.making(func(p *fakePlug) {
			if p.id < 4 {
				p.wire.failing(func(_, key string) error {
					if key == "l" {
						return fmt.Errorf("%w: crashed", cache.ErrUnavailable)
					}
					return nil
				})
			}
		})
		for range 30 {
			time.Sleep(100 * time.Millisecond)
			finds(t, s, "k", "meanwhile")
			finds(t, s, "l", "meanwhile")
		}
		serves(t, s, 4)
		for _, p := range f.made[1:3] {
			if !p.ended.Load() {
				t.Errorf("process %d was left running", p.id)
			}
		}
		finds(t, s, "k", "meanwhile")
		finds(t, s, "l", "meanwhile")
	})
}
