package pluginstore

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// offer asks the supervisor for a handover, waits until it is done, and returns
// the process that it was given.
func (g *rig) offer(next *fakePlug, err error) (given plug) {
	g.t.Helper()
	h := handover{done: make(chan struct{}), do: func(_ context.Context, p plug) (plug, error) {
		if given = p; next == nil {
			return p, err
		}
		g.note(func() { g.plugs = append(g.plugs, next) })
		return next, err
	}}
	select {
	case g.handovers <- h:
		<-h.done
	case <-time.After(time.Minute):
		g.t.Fatal("nobody takes the handover")
	}
	synctest.Wait()
	return given
}

var errNotBetter = errors.New("the new one is no better")

func breakerOpens(g *rig) {
	g.launching(never)
	g.plug().die()
	time.Sleep(5 * time.Minute)
}

func TestHandover(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(*rig)
		given  bool // a process serves when it begins
		fails  bool
		want   State
		// launches of the supervisor itself until then, and what becomes of a
		// handover that fails
		launches int
		later    State
		more     int
	}{
		{name: "ready", before: func(*rig) {}, given: true, want: Ready},
		{name: "ready, failing", before: func(*rig) {}, given: true, fails: true, want: Ready, later: Ready},
		{name: "waiting", before: func(g *rig) { g.plug().die() }, want: Ready},
		{name: "waiting, failing", before: func(g *rig) { g.plug().die() }, fails: true, want: Degraded, later: Ready, more: 1},
		{name: "breaker open", before: breakerOpens, want: Ready, launches: 4},
		{name: "breaker open, failing", before: breakerOpens, fails: true, want: Failed, launches: 4, later: Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, Restart{}, true)
				old := g.plug()
				c.before(g)
				var next *fakePlug
				var err error
				if c.fails {
					err = errNotBetter
				} else {
					next = newFakePlug(99, nil)
				}
				switch given := g.offer(next, err); {
				case c.given && given != plug(old):
					t.Errorf("the handover is given %v, want the process that serves", given)
				case !c.given && given != nil:
					t.Errorf("the handover is given %v, want none", given)
				}
				g.is("after the handover", c.want, c.launches)
				if next == nil {
					time.Sleep(time.Hour)
					g.is("an hour later", c.later, c.launches+c.more)
					return
				}
				// It is tended like any other, and what failed before is forgotten.
				g.launching(nil)
				next.die()
				g.is("after its death", Degraded, c.launches)
				time.Sleep(250 * time.Millisecond)
				g.is("after a first step", Ready, c.launches+1)
			})
		})
	}
}

// The one that served may be gone when a handover fails.
func TestHandoverThatLosesTheOldOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{}, true)
		h := handover{done: make(chan struct{}), do: func(_ context.Context, p plug) (plug, error) {
			p.abort()
			return nil, errNotBetter
		}}
		g.handovers <- h
		<-h.done
		g.is("after the handover", Degraded, 0)
		if err := g.board.read().Err; !errors.Is(err, errNotBetter) {
			t.Errorf("it failed because: %v", err)
		}
		time.Sleep(time.Second)
		g.is("and a while later", Ready, 1)
	})
}

// While one handover is made, another waits; when supervision has ended, none
// is taken and ended says so.
func TestHandoversOneByOneAndNoneAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Restart{}, true)
		first, second := newFakePlug(1, nil), newFakePlug(2, nil)
		go func() {
			g.handovers <- handover{done: make(chan struct{}), do: func(context.Context, plug) (plug, error) {
				time.Sleep(10 * time.Second)
				return first, nil
			}}
		}()
		synctest.Wait()
		if given := g.offer(second, nil); given != plug(first) {
			t.Errorf("the second handover is given %v, want what the first one made", given)
		}
		if p := g.finish(); p != second {
			t.Errorf("at the end %v serves", p)
		}
		select {
		case g.handovers <- handover{}:
			t.Error("a handover was taken after the end")
		case <-g.ended:
		}
	})
}
