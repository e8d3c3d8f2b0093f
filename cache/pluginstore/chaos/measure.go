//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// samples are durations of one thing.
type samples struct {
	mu  sync.Mutex
	all []time.Duration
}

func (s *samples) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, d)
}

func (s *samples) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// String tells the median and the maximum.
func (s *samples) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return "never seen"
	}
	slices.Sort(s.all)
	return fmt.Sprintf("median %v, at most %v (of %d)", s.all[len(s.all)/2], s.all[len(s.all)-1], len(s.all))
}

// What is measured of a plugin's death, as a person reads it.
const (
	toFallback = "from the plugin's death to a call that memory served"
	toReady    = "from the plugin's death to another process that serves"
)

// poll is how often the status is looked at where it is measured.
const poll = 200 * time.Microsecond

// measure ends the process with end, and measures how long it takes until a
// call is served in its place, and until another process serves.
func (d *disturbance) measure(ctx context.Context, end func()) {
	before := d.store.Status().Generation
	began := time.Now()
	end()
	if d.scenario.bridged {
		for ctx.Err() == nil && time.Since(began) < recovery {
			bounded, cancel := context.WithTimeout(ctx, d.scenario.patience())
			d.driver.hasty = false
			d.driver.set(bounded, d.driver.own[0])
			cancel()
			served := time.Since(began)
			if s := d.store.Status(); s.Fallback || s.Generation > before {
				d.counts.fallback.add(served)
				break
			}
		}
	}
	for ctx.Err() == nil && time.Since(began) < recovery {
		if s := d.store.Status(); isReady(s) && s.Generation > before {
			d.counts.ready.add(time.Since(began))
			return
		}
		time.Sleep(poll)
	}
}
