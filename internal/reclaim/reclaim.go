// Package reclaim keeps a process near the size of the large values that it
// holds, and returns their memory to the system afterwards.
//
// Go's collector alone does neither. It lets garbage grow to the size of what
// is live, so 480 MB of values in flight may become a heap of 960 MB. After a
// burst nothing allocates, so the next collection may be two minutes away; the
// memory stays with the process until then. Measured with 20 uploads of 60 MB
// at once to the host, of which 8 are admitted: 1155 MB resident ten seconds
// after the last answer, and 24 MB with a Reclaimer.
//
// A limit for the whole heap (debug.SetMemoryLimit) would not do: a store in
// memory may be larger than any limit that fits bodies, and the collector would
// then run without end.
package reclaim

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// burst is how many bytes of large values make a burst, when they come and
	// go: more than a process of 20 MB should keep for nothing.
	burst = 32 << 20
	// heavy is how many bytes in flight make the collector run earlier. Below it
	// the garbage is as small, and collections cost more than they bring.
	heavy = 128 << 20
	// garbage is how much the heap may then grow, in percent of what is live.
	garbage = 25
	// quiet is how long a burst must be over. Memory is returned at most once in
	// so long, and not at all while large values keep coming.
	quiet = 2 * time.Second
)

// Reclaimer watches the large values of a process. While many are in flight the
// collector runs earlier; when none came or went for a while, it runs once more
// and the free memory is returned. The collector's setting is the whole
// process's: a program has one Reclaimer, and closes it. The methods of a nil
// Reclaimer do nothing. The zero value is ready.
type Reclaimer struct {
	used  atomic.Int64 // bytes in flight
	moved atomic.Int64 // bytes that came or went, since look was called
	mode  atomic.Int32

	mu      sync.Mutex // also held while memory is returned, so that Close waits
	closed  bool
	due     bool // memory is to be returned
	timer   *time.Timer
	percent int // the collector's setting before it was tight
}

const (
	idle     = iota
	watching // the timer runs
	tight    // and the collector runs earlier
)

// Add counts n more bytes in flight, or -n fewer.
func (r *Reclaimer) Add(n int64) {
	if r == nil {
		return
	}
	r.used.Add(n)
	r.moved.Add(max(n, -n))
	if r.wanted() > r.mode.Load() {
		r.raise()
	}
}

// Passed counts n bytes that came and went.
func (r *Reclaimer) Passed(n int64) {
	r.Add(n)
	r.Add(-n)
}

func (r *Reclaimer) wanted() int32 {
	switch {
	case r.used.Load() >= heavy:
		return tight
	case r.moved.Load() >= burst:
		return watching
	}
	return idle
}

func (r *Reclaimer) raise() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.become(max(r.wanted(), r.mode.Load()))
	}
}

// become changes the mode; r.mu is held.
func (r *Reclaimer) become(mode int32) {
	was := r.mode.Swap(mode)
	switch {
	case mode == tight && was != tight:
		r.percent = debug.SetGCPercent(garbage)
		if r.percent < garbage { // tighter, or off in favour of a limit
			debug.SetGCPercent(r.percent)
		}
	case mode != tight && was == tight:
		debug.SetGCPercent(r.percent)
	}
	switch {
	case mode != idle && was == idle && r.timer == nil:
		r.timer = time.AfterFunc(quiet, r.look)
	case mode != idle && was == idle:
		r.timer.Reset(quiet)
	}
}

// look returns memory if the burst is over, and else looks again later.
func (r *Reclaimer) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if r.moved.Swap(0) >= burst {
		r.due = true
		r.timer.Reset(quiet)
		return
	}
	// The mode first: an Add after it finds the mode too low, one before it is
	// seen here.
	r.become(idle)
	r.become(r.wanted())
	if r.due {
		r.due = false
		runtime.GC() // what a sync.Pool has survives one collection
		debug.FreeOSMemory()
	}
}

// Close restores the collector's setting. It waits for a return of memory that
// is under way.
func (r *Reclaimer) Close() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.become(idle)
	if r.timer != nil {
		r.timer.Stop()
	}
}
