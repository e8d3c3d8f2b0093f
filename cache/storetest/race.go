package storetest

import (
	"runtime"
	"sync/atomic"
)

// race is what several goroutines repeat while one other makes steps. The
// steps are few, so each is made to meet the others: it begins at a moment that
// varies, and is looked at when what was under way at its end is over.
type race struct {
	rounds [4]atomic.Int64
	done   atomic.Bool
}

// run repeats round until the race is done.
func (r *race) run(i int, round func()) {
	for !r.done.Load() {
		round()
		r.rounds[i].Add(1)
		runtime.Gosched() // a store that never blocks would keep the processor
	}
}

// stagger puts off step n by a distance that varies.
func (r *race) stagger(n int) {
	for range n % 29 {
		runtime.Gosched()
	}
}

// settle waits until each of the others has begun and ended a round.
func (r *race) settle(p *probe) {
	for i := range r.rounds {
		for over := r.rounds[i].Load() + 2; r.rounds[i].Load() < over && p.failure() == nil; {
			runtime.Gosched()
		}
	}
}
