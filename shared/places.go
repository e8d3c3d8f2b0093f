package shared

import (
	"sync/atomic"
	"time"
)

const (
	// laneCalls is how many calls of a store that is not Quick run at a time.
	laneCalls = 256
	// laneCallsMost bounds them while calls hang.
	laneCallsMost = 64 * laneCalls
	// laneHung is how long no call at all returns before more may run: calls
	// that hang must not keep all others from the store.
	laneHung = 100 * time.Millisecond
)

// places bound the calls that run at a time. The bound grows while all of them
// hang, and shrinks when they return.
type places struct {
	free  chan struct{}
	count atomic.Int64 // taken or free
}

func newPlaces() *places {
	p := &places{free: make(chan struct{}, laneCallsMost)}
	p.grow()
	return p
}

func (p *places) grow() {
	p.count.Add(laneCalls)
	for range laneCalls {
		p.free <- struct{}{}
	}
}

// take waits for a place. One goroutine takes all of them.
func (p *places) take() {
	select {
	case <-p.free:
		return
	default:
	}
	timer := time.NewTimer(laneHung)
	defer timer.Stop()
	for {
		select {
		case <-p.free:
			return
		case <-timer.C:
			if p.count.Load() <= laneCallsMost-laneCalls {
				p.grow()
			}
			timer.Reset(laneHung)
		}
	}
}

// give returns a place.
func (p *places) give() {
	if len(p.free) >= laneCalls && p.count.Load() > laneCalls {
		p.count.Add(-1)
		return
	}
	p.free <- struct{}{}
}
