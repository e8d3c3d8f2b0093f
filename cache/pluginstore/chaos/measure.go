//go:build linux

package main

import (
	"context"
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

// median is 0 if there is no sample.
func (s *samples) median() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return 0
	}
	slices.Sort(s.all)
	return s.all[len(s.all)/2]
}

func (s *samples) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

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
		time.Sleep(200 * time.Microsecond)
	}
}
