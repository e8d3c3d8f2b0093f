package cache

import (
	"sync"
	"sync/atomic"
	"time"
)

// memorySweeper calls sweep when an entry has expired. There is no goroutine
// while it waits, and no timer while nothing is to expire. Times are Unix
// milliseconds.
type memorySweeper struct {
	at      atomic.Int64 // when the timer fires; 0: it is not armed
	mu      sync.Mutex   // of at's changes and of all below
	sweep   func()       // nil: stopped
	timer   *time.Timer
	armed   uint64         // how often it was; names the timer that counts
	pending sync.WaitGroup // the armed timer, then the sweep that it started
}

const (
	// The timer fires only at multiples of it, and so for all entries at once
	// that expire between two.
	memorySweepTick = 100
	// A timer counts the time that the machine was awake, an expiry is a time
	// of day: look at the clock now and then.
	memorySweepLongest = 60 * 60 * 1000
)

// arm sees to a sweep soon after expires.
func (w *memorySweeper) arm(expires int64) {
	tick := memoryTickAfter(expires)
	if at := w.at.Load(); at != 0 && at <= tick {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.at.Load()
	if w.sweep == nil || at != 0 && at <= tick {
		return
	}
	if at != 0 && w.timer.Stop() {
		w.pending.Done()
	}
	now := time.Now().UnixMilli()
	tick = min(tick, memoryTickAfter(now+memorySweepLongest))
	w.at.Store(tick)
	w.armed++
	armed := w.armed
	w.pending.Add(1)
	w.timer = time.AfterFunc(time.Duration(tick-now)*time.Millisecond, func() { w.fire(armed) })
}

// memoryTickAfter returns the first tick at which what expires at t has
// expired.
func memoryTickAfter(t int64) int64 {
	const last = 1<<63 - 1 - memorySweepTick
	return (min(t, last) + memorySweepTick - 1) / memorySweepTick * memorySweepTick
}

func (w *memorySweeper) fire(armed uint64) {
	defer w.pending.Done()
	w.mu.Lock()
	sweep := w.sweep
	// One that could not be stopped any more leaves the work to its successor.
	if sweep == nil || w.armed != armed {
		w.mu.Unlock()
		return
	}
	w.at.Store(0)
	w.mu.Unlock()
	sweep()
}

// stop returns when no sweep is running and none will. The runtime may keep a
// stopped timer, and the sweeper with it, until it was due, but not the store.
func (w *memorySweeper) stop() {
	w.mu.Lock()
	w.sweep = nil
	if w.at.Load() != 0 && w.timer.Stop() {
		w.pending.Done()
	}
	w.at.Store(0)
	w.mu.Unlock()
	w.pending.Wait()
}

// sweep removes every entry that has expired and arms the timer for the next.
func (m *Memory) sweep() {
	const batch = 128 // the shard's writers wait for so many
	next := int64(0)
	for i := range m.shards {
		s := &m.shards[i]
		for more := true; more && !m.closed.Load(); {
			s.mu.Lock()
			now := time.Now().UnixMilli()
			for range batch {
				if more = s.expireNext(now); !more {
					break
				}
			}
			if e := s.expiry.next(); e != nil && !more && (next == 0 || e.expires < next) {
				next = e.expires
			}
			s.mu.Unlock()
		}
	}
	if next != 0 {
		m.sweeper.arm(next)
	}
}
