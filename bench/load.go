package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// load is the work of a subject: its callers call op over and over, each with
// its own number and a count of its calls. One call does batch operations, so
// that looking at the clock costs nothing beside them; the latency is then the
// mean of the batch.
type load struct {
	op    func(caller, i int) error
	batch int // 0: 1
	bytes int // carried by one operation, for MB/s; 0: not of interest
}

func (l load) run(_ context.Context, callers int, d time.Duration) (sample, error) {
	batch := max(l.batch, 1)
	var (
		begin   = make(chan struct{})
		stop    atomic.Bool
		done    sync.WaitGroup
		ready   sync.WaitGroup
		latency = make([]histogram, callers)
		failed  = make(chan error, callers)
	)
	ready.Add(callers)
	for caller := range callers {
		done.Go(func() {
			h := &latency[caller]
			ready.Done()
			<-begin
			last := time.Now()
			for i := 0; !stop.Load(); i++ {
				if err := l.op(caller, i); err != nil {
					failed <- err
					return
				}
				now := time.Now()
				h.add(now.Sub(last) / time.Duration(batch))
				last = now
			}
		})
	}
	ready.Wait()
	before := mallocs()
	start := time.Now()
	timer := time.AfterFunc(d, func() { stop.Store(true) })
	defer timer.Stop()
	close(begin)
	done.Wait()
	elapsed := time.Since(start)
	allocated := mallocs() - before
	select {
	case err := <-failed:
		return sample{}, err
	default:
	}
	all := merge(latency)
	got := newSample(all, batch, elapsed, allocated)
	got.value = got.opsPerS * float64(l.bytes) / 1e6
	return got, nil
}

// mallocs counts the allocations of this process so far.
func mallocs() uint64 {
	var st runtime.MemStats
	runtime.ReadMemStats(&st)
	return st.Mallocs
}
