package pluginstore

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// checkTimes lets g's process answer with health, and returns when it was
// asked.
func checkTimes(g *rig, health func(n int, ctx context.Context) error) func() []time.Duration {
	var at []time.Duration
	g.plug().answer(func(ctx context.Context) error {
		var n int
		g.note(func() { at = append(at, time.Since(g.began)); n = len(at) })
		return health(n, ctx)
	})
	return func() (now []time.Duration) {
		g.note(func() { now = slices.Clone(at) })
		return now
	}
}

func TestHealthIsAskedForEachFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{}, true)
		at := checkTimes(g, func(_ int, ctx context.Context) error {
			if d, ok := ctx.Deadline(); !ok || time.Until(d) != time.Second {
				t.Errorf("a check has the deadline %v, %v", time.Until(d), ok)
			}
			return nil
		})
		time.Sleep(time.Minute)
		g.is("after a minute", Ready, 0)
		if len(at()) != 12 {
			t.Fatalf("in a minute there were %d checks", len(at()))
		}
		for i, d := range at() {
			if d != time.Duration(i+1)*5*time.Second {
				t.Errorf("check %d was at %v", i+1, d)
			}
		}
	})
}

func TestThreeMissesAreDeath(t *testing.T) {
	for name, c := range map[string]struct {
		health func(context.Context) error
		most   time.Duration // from the first missed check to the death
	}{
		"no answer":   {silent, 5 * time.Second},
		"NOT_SERVING": {notServing, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, Restart{}, true)
				at := checkTimes(g, func(n int, ctx context.Context) error {
					if n <= 2 {
						return nil
					}
					return c.health(ctx)
				})
				time.Sleep(15*time.Second + c.most)
				g.is("after three misses", Degraded, 0)
				first := g.plug()
				if !first.ended.Load() || len(at()) != 5 {
					t.Errorf("it was ended: %v, after %d checks; want after 5", first.ended.Load(), len(at()))
				}
				time.Sleep(time.Second)
				g.is("and a while later", Ready, 1)
			})
		})
	}
}

func TestOneSuccessForgivesMisses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{}, true)
		at := checkTimes(g, func(n int, ctx context.Context) error {
			if n%3 == 0 {
				return nil
			}
			return notServing(ctx)
		})
		time.Sleep(10 * time.Minute)
		g.is("with two misses of three", Ready, 0)
		if len(at()) < 100 {
			t.Errorf("in ten minutes there were %d checks", len(at()))
		}
	})
}

// A call without an answer brings the next check forward; it is no miss itself,
// and any number of them during a check cause one more.
func TestSuspicionBringsTheNextCheckForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{}, true)
		at := checkTimes(g, func(int, context.Context) error { time.Sleep(100 * time.Millisecond); return nil })
		time.Sleep(2 * time.Second)
		g.suspect()
		synctest.Wait()
		for range 1000 {
			g.suspect()
		}
		time.Sleep(5 * time.Second)
		g.is("after suspicions", Ready, 0)
		if want := []time.Duration{2000 * time.Millisecond, 2100 * time.Millisecond}; !slices.Equal(at(), want) {
			t.Errorf("after suspicions at 2s there were checks at %v, want %v", at(), want)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(at()); n != 3 {
			t.Errorf("the next check did not come: %v", at())
		}
	})
}

// A process that dies while it is checked is dead at once.
func TestDeathDuringACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{}, true)
		g.plug().answer(silent)
		time.Sleep(healthInterval + healthTimeout/2)
		g.plug().die()
		g.is("after its death", Degraded, 0)
		time.Sleep(300 * time.Millisecond)
		g.is("a moment later", Ready, 1)
	})
}

// A process that answers calls is busy, not dead, though it misses checks; for
// Options.Silence at most.
func TestBusyIsNotDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{}, true)
		p := g.plug()
		p.answer(func(ctx context.Context) error { p.answers.Add(1); return silent(ctx) })
		time.Sleep(DefaultSilence - healthInterval)
		g.is("while it answers calls", Ready, 0)
		time.Sleep(2 * healthInterval)
		g.is("after it was silent for too long", Ready, 1)
		if !p.ended.Load() {
			t.Error("it was not ended")
		}
	})
}
