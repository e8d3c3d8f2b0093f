package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// rig is a supervisor whose processes are fakes.
type rig struct {
	*supervisor
	t     *testing.T
	began time.Time
	end   context.CancelFunc
	last  chan plug

	mu     sync.Mutex
	launch func(context.Context) error // what starting a process does; nil: it starts
	serve  func(context.Context) error // what telling it does; nil: it is told
	record
}

// record is what a supervisor did.
type record struct {
	launches []time.Duration // since the rig began
	plugs    []*fakePlug
	left     []time.Duration // when calls were kept from a process
	downs    []bool          // whether it was to be started again
}

// newRig supervises a process that serves, or none yet.
func newRig(t *testing.T, r Restart, serving bool) *rig {
	t.Helper()
	if serving {
		return newRigWith(t, r, newFakePlug(0, nil))
	}
	return newRigWith(t, r, nil)
}

func newRigWith(t *testing.T, r Restart, first *fakePlug) *rig {
	t.Helper()
	o := Options{Restart: r}
	if err := o.defaults(); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	g := &rig{t: t, began: time.Now(), last: make(chan plug, 1)}
	g.supervisor = newSupervisor(o.Restart, &board{log: log}, log)
	g.supervisor.launch = func(ctx context.Context) (plug, error) {
		var launch func(context.Context) error
		g.note(func() { g.launches = append(g.launches, time.Since(g.began)); launch = g.launch })
		if launch != nil {
			if err := launch(ctx); err != nil {
				return nil, err
			}
		}
		p := newFakePlug(g.started(), nil)
		g.note(func() { g.plugs = append(g.plugs, p) })
		return p, nil
	}
	g.supervisor.serve = func(ctx context.Context, p plug) error {
		var serve func(context.Context) error
		g.note(func() { serve = g.serve })
		if serve == nil {
			return nil
		}
		return serve(ctx)
	}
	g.leave = func(plug, error) { g.note(func() { g.left = append(g.left, time.Since(g.began)) }) }
	g.down = func(_ error, again bool) { g.note(func() { g.downs = append(g.downs, again) }) }
	var ctx context.Context
	ctx, g.end = context.WithCancel(context.WithoutCancel(t.Context()))
	var p plug
	if first != nil {
		g.plugs = append(g.plugs, first)
		p = first
	}
	rest := g.supervisor.tell(p, errors.New("it could not start"), 0)
	go func() {
		g.last <- g.run(ctx, p, rest)
		close(g.ended)
	}()
	t.Cleanup(g.end)
	synctest.Wait()
	return g
}

// note changes what the rig does or remembers.
func (g *rig) note(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

// launching says what starting a process does from now on.
func (g *rig) launching(do func(context.Context) error) { g.note(func() { g.launch = do }) }

// seen is what happened up to now.
func (g *rig) seen() record {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.record
	return record{slices.Clone(r.launches), slices.Clone(r.plugs), slices.Clone(r.left), slices.Clone(r.downs)}
}

// plug is the process that was started last.
func (g *rig) plug() *fakePlug {
	plugs := g.seen().plugs
	return plugs[len(plugs)-1]
}

func (g *rig) started() int { return len(g.seen().launches) }

// is fails unless the supervisor is at rest in the state, after n launches.
func (g *rig) is(what string, want State, launches int) {
	g.t.Helper()
	synctest.Wait()
	if got, n := g.board.read().State, g.started(); got != want || n != launches {
		g.t.Errorf("%s: it is %v after %d launches, want %v after %d", what, got, n, want, launches)
	}
}

// finish ends the supervision and returns what served.
func (g *rig) finish() *fakePlug {
	g.t.Helper()
	g.end()
	<-g.ended
	p, _ := (<-g.last).(*fakePlug)
	return p
}

func never(context.Context) error { return errors.New("it does not start") }

func TestRestartsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{Failures: 1000}, false)
		g.launching(never)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		step, since := 200*time.Millisecond, time.Duration(0)
		launches := g.seen().launches
		for i, at := range launches {
			within(t, fmt.Sprint("launch ", i+1), at-since, step, 30*time.Second)
			step, since = min(2*step, 30*time.Second), at
		}
		if step != 30*time.Second {
			t.Errorf("in ten minutes there were %d launches", len(launches))
		}
		// Once it has been well for long, it begins with the first step again.
		g.launching(nil)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		before := g.started()
		time.Sleep(31 * time.Second)
		g.is("after it started", Ready, before)
		for i, step := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond} {
			died := time.Since(g.began)
			g.plug().die()
			time.Sleep(time.Second)
			g.is("after a death", Ready, before+1+i)
			within(t, fmt.Sprint("death ", i+1), g.seen().launches[before+i]-died, step, 30*time.Second)
		}
	})
}

func TestFiveFailuresAreTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{}, false) // which is the first failure
		g.launching(never)
		time.Sleep(1000 * time.Hour)
		g.is("after five failures", Failed, 4)
		if want := []bool{true, true, true, true, false}; !slices.Equal(g.seen().downs, want) {
			t.Errorf("to be started again: %v, want %v", g.seen().downs, want)
		}

		reset := time.Since(g.began)
		g.reset()
		synctest.Wait()
		if at := g.seen().launches; len(at) != 5 || at[4] != reset {
			t.Errorf("after a reset at %v there were launches at %v", reset, at)
		}
		time.Sleep(time.Hour)
		g.is("after a reset and five more failures", Failed, 9)
		at := g.seen().launches
		within(t, "after a reset", at[5]-at[4], 200*time.Millisecond, 30*time.Second)

		g.launching(nil)
		g.reset()
		g.is("after a reset of a plugin that is well again", Ready, 10)
		g.plug().die()
		time.Sleep(time.Second)
		g.is("after one more death", Ready, 11)
	})
}

func TestOldFailuresDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{}, true)
		for i := range 20 {
			time.Sleep(151 * time.Second)
			g.is("between failures", Ready, i)
			g.plug().die()
			synctest.Wait()
		}
		time.Sleep(time.Second)
		g.is("after twenty failures in fifty minutes", Ready, 20)
	})
}

func TestExitIsNoticedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{}, true)
		time.Sleep(1234 * time.Millisecond)
		died := time.Since(g.began)
		g.plug().die()
		g.is("after its death", Degraded, 0)
		if left := g.seen().left; len(left) != 1 || left[0] != died {
			t.Errorf("it died at %v, and calls were kept from it at %v", died, left)
		}
		if err := g.board.read().Err; !errors.Is(err, errKilled) {
			t.Errorf("it failed because: %v", err)
		}
		if !g.plug().ended.Load() {
			t.Error("what is left of it was not ended")
		}
	})
}

// A reset starts a plugin that waits, and one that comes while it starts is not
// kept for a failure to come.
func TestResetWhileWaitingAndWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{MinDelay: time.Hour}, true)
		g.plug().die()
		time.Sleep(time.Minute)
		g.is("waiting", Degraded, 0)
		g.launching(func(context.Context) error { time.Sleep(time.Second); return nil })
		g.reset()
		g.is("reset", Degraded, 1)
		g.reset()
		time.Sleep(time.Second)
		g.is("started", Ready, 1)
		g.plug().die()
		time.Sleep(time.Minute)
		g.is("waiting once more", Degraded, 1)
	})
}

func TestServingThatFailsIsAFailedStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{}, true)
		cause := errors.New("it does not listen")
		g.note(func() { g.serve = func(context.Context) error { return cause } })
		g.plug().die()
		time.Sleep(time.Hour)
		g.is("after four starts", Failed, 4)
		if err := g.board.read().Err; !errors.Is(err, cause) {
			t.Errorf("it failed because: %v", err)
		}
		for i, p := range g.seen().plugs {
			if !p.ended.Load() {
				t.Errorf("process %d was left running", i)
			}
		}
	})
}

// Whatever the supervisor is doing, it ends when it is told to. synctest fails
// the test if a goroutine is left.
func TestSupervisionEnds(t *testing.T) {
	untilEnd := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, c := range []struct {
		name   string
		during func(*rig)
		serves bool // a process, at the end
	}{
		{"tending", func(*rig) {}, true},
		{"checking", func(g *rig) { g.plug().answer(silent); time.Sleep(healthInterval + time.Millisecond) }, true},
		{"waiting", func(g *rig) { g.plug().die() }, false},
		{"failed", func(g *rig) { g.launching(never); g.plug().die(); time.Sleep(time.Hour) }, false},
		{"launching", func(g *rig) {
			g.launching(untilEnd)
			g.plug().die()
			time.Sleep(time.Second)
		}, false},
		{"serving", func(g *rig) {
			g.note(func() { g.serve = untilEnd })
			g.plug().die()
			time.Sleep(time.Second)
		}, false},
		{"handing over", func(g *rig) {
			go func() {
				g.handovers <- handover{done: make(chan struct{}), do: func(ctx context.Context, p plug) (plug, error) { return p, untilEnd(ctx) }}
			}()
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, Restart{}, true)
				c.during(g)
				synctest.Wait()
				before := time.Now()
				p := g.finish()
				if (p != nil) != c.serves || time.Since(before) != 0 {
					t.Errorf("it ended after %v, and %v serves", time.Since(before), p)
				}
				for i, other := range g.seen().plugs {
					if other != p && !other.ended.Load() {
						t.Errorf("process %d was left running", i)
					}
				}
			})
		})
	}
}
