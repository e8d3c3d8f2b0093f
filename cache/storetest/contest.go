package storetest

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A gap of microseconds between the reading and the writing of an operation is
// met only by calls that begin within it of each other, so they begin together,
// again and again.
const (
	contestants = 16
	// A contest is held this often, or as often as a store that is slow allows in
	// contestTime, but leastContests times.
	mostContests  = 1000
	leastContests = 20
	contestTime   = 700 * time.Millisecond
)

// contests holds contests: prepare is called first, then try by each contestant at
// once, with i from 0, and then judge.
func (p *probe) contests(prepare func(contest int), try func(contest, i int), judge func(contest int)) {
	m := meeting{size: contestants}
	m.all.L = &m.mu
	began := time.Now()
	over := false
	p.each(contestants, func(i int) {
		defer m.leave()
		for contest := 0; ; contest++ {
			if i == 0 {
				over = contest >= mostContests || contest >= leastContests && time.Since(began) > contestTime
				if !over {
					prepare(contest)
				}
			}
			m.meet()
			if over || p.failure() != nil {
				return
			}
			m.start(contest)
			try(contest, i)
			m.meet()
			if i == 0 {
				judge(contest)
			}
		}
	})
}

// meeting is where goroutines wait for each other. One that leaves is not waited for.
type meeting struct {
	mu      sync.Mutex
	all     sync.Cond
	size    int
	arrived int
	held    int // how many meetings were

	ready atomic.Int64
}

func (m *meeting) meet() {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := m.held
	m.arrived++
	m.conclude()
	for m.held == held {
		m.all.Wait()
	}
}

func (m *meeting) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.size--
	m.conclude()
}

// conclude is called with mu held.
func (m *meeting) conclude() {
	if m.arrived >= m.size {
		m.arrived = 0
		m.held++
		m.all.Broadcast()
	}
}

// start lets those who have met begin within less than a microsecond of each other,
// as far as there are processors, and for the rest a little later than that.
func (m *meeting) start(contest int) {
	m.ready.Add(1)
	together := int64(min(m.size, runtime.GOMAXPROCS(0)))
	for spins := 0; m.ready.Load() < int64(contest)*int64(contestants)+together && spins < 10_000; spins++ {
	}
}

// linger takes about so many microseconds, too few to sleep.
func linger(microseconds int) {
	for end := time.Now().Add(time.Duration(microseconds) * time.Microsecond); time.Now().Before(end); {
	}
}
