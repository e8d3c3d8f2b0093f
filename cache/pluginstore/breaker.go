package pluginstore

import (
	"math/rand/v2"
	"sync"
	"time"
)

// breaker decides when a plugin that failed is started again, if at all.
type breaker struct {
	Restart
	mu       sync.Mutex  // a process that is about to serve may have deaths forgiven
	failures []time.Time // Within, oldest first
	// quick counts the failures of which none came after the plugin had been
	// ready for MaxDelay: the next delay depends on it.
	quick int
}

// failed counts a failure of a plugin that was ready for a time, and says how
// long to wait before it is started again; false: not again.
func (b *breaker) failed(now time.Time, wasReady time.Duration) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = append(b.failures, now)
	for now.Sub(b.failures[0]) >= b.Within {
		b.failures = b.failures[1:]
	}
	if wasReady >= b.MaxDelay {
		b.quick = 0
	}
	delay := b.MinDelay
	for range b.quick {
		if delay *= 2; delay >= b.MaxDelay {
			break
		}
	}
	b.quick++
	// At random, so that many hosts do not start their plugins in step.
	delay = time.Duration(float64(min(delay, b.MaxDelay)) * (0.75 + rand.Float64()/2))
	return min(delay, b.MaxDelay), len(b.failures) < b.Failures
}

// forgive forgets the last n failures.
func (b *breaker) forgive(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = b.failures[:max(0, len(b.failures)-n)]
	b.quick = max(0, b.quick-n)
}

// reset forgets all failures.
func (b *breaker) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.quick = nil, 0
}
