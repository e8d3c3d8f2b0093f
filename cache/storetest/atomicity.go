package storetest

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// Concurrent use of the atomic operations.
func atomicityCases() []Case {
	return []Case{{
		Name:   "atomic/add",
		Clause: "SetIfAbsent stores e only if key holds nothing. Atomic: of many at once exactly one does.",
		Needs:  cache.CanAdd,
		run: func(p *probe) {
			var winners atomic.Int64
			var winner atomic.Value
			key := func(contest int) string { return p.key(strconv.Itoa(contest)) }
			p.contests(func(int) { winners.Store(0) }, func(contest, i int) {
				value := strconv.Itoa(i)
				stored, err := p.store.SetIfAbsent(p.ctx, key(contest), cache.Entry{Value: []byte(value)})
				if err != nil {
					p.fatalf("SetIfAbsent: %w", err)
				}
				if stored {
					winners.Add(1)
					winner.Store(value)
				}
			}, func(contest int) {
				if n := winners.Load(); n != 1 {
					p.fatalf("%d of %d concurrent SetIfAbsent of one key report that they stored", n, contestants)
				}
				p.wantValue(key(contest), winner.Load().(string))
			})
		},
	}, {
		Name:   "atomic/swap",
		Clause: "CompareAndSwap stores e if key holds exactly the bytes old. Atomic: of many with one old exactly one does.",
		Needs:  cache.CanSwap,
		run: func(p *probe) {
			const workers, times = 8, 20
			key := p.key("k")
			p.set(key, "0")
			p.each(workers, func(int) {
				for done := 0; done < times; {
					e, found := p.get(key)
					n, err := strconv.Atoi(string(e.Value))
					if !found || err != nil {
						p.fatalf("Get(%s) is %s, found %v, during swaps of one number for the next", p.name(key), short(e.Value), found)
					}
					swapped, err := p.store.CompareAndSwap(p.ctx, key, e.Value, cache.Entry{Value: strconv.AppendInt(nil, int64(n+1), 10)})
					if err != nil {
						p.fatalf("CompareAndSwap(%s): %w", p.name(key), err)
					}
					if swapped {
						done++
					}
				}
			})
			p.wantValue(key, strconv.Itoa(workers*times))

			var winners atomic.Int64
			var winner atomic.Value
			p.contests(func(int) {
				winners.Store(0)
				p.set(key, "old")
			}, func(_, i int) {
				value := strconv.Itoa(i)
				swapped, err := p.store.CompareAndSwap(p.ctx, key, []byte("old"), cache.Entry{Value: []byte(value)})
				if err != nil {
					p.fatalf("CompareAndSwap: %w", err)
				}
				if swapped {
					winners.Add(1)
					winner.Store(value)
				}
			}, func(int) {
				if n := winners.Load(); n != 1 {
					p.fatalf("%d of %d concurrent CompareAndSwap with one old report that they stored", n, contestants)
				}
				p.wantValue(key, winner.Load().(string))
			})
		},
	}, {
		Name:   "atomic/delete",
		Clause: "CompareAndDelete removes key if it holds exactly the bytes old. Atomic: of many at once exactly one does.",
		Needs:  cache.CanSwap,
		run: func(p *probe) {
			key := p.key("k")
			var winners atomic.Int64
			p.contests(func(int) {
				winners.Store(0)
				p.set(key, "value")
			}, func(int, int) {
				deleted, err := p.store.CompareAndDelete(p.ctx, key, []byte("value"))
				if err != nil {
					p.fatalf("CompareAndDelete: %w", err)
				}
				if deleted {
					winners.Add(1)
				}
			}, func(int) {
				if n := winners.Load(); n != 1 {
					p.fatalf("%d of %d concurrent CompareAndDelete of one key report that they removed it", n, contestants)
				}
				p.wantMiss(key)
			})
		},
	}, {
		Name:   "atomic/count",
		Clause: "Increment adds delta to the counter under key and returns the sum. Atomic.",
		Needs:  cache.CanCount,
		run: func(p *probe) {
			const workers, times = 16, 50
			key, expires := p.key("k"), soon(time.Hour)
			var seen [workers*times + 1]atomic.Bool
			p.each(workers, func(int) {
				for range times {
					n, _, err := p.store.Increment(p.ctx, key, 1, expires)
					if err != nil {
						p.fatalf("Increment(%s): %w", p.name(key), err)
					}
					if n < 1 || n > workers*times || seen[n].Swap(true) {
						p.fatalf("Increment returns %d out of order or twice, while %d callers each add 1 %d times", n, workers, times)
					}
				}
			})
			p.wantEntry(key, strconv.Itoa(workers*times), expires)

			contested := p.key("contested")
			p.contests(func(int) {}, func(int, int) {
				if _, _, err := p.store.Increment(p.ctx, contested, 1, time.Time{}); err != nil {
					p.fatalf("Increment(%s): %w", p.name(contested), err)
				}
			}, func(contest int) {
				if e, _ := p.get(contested); string(e.Value) != strconv.Itoa((contest+1)*contestants) {
					p.fatalf("a counter is %s after 1 was added %d times, by %d callers at once", short(e.Value), (contest+1)*contestants, contestants)
				}
			})
		},
	}, {
		Name:   "atomic/touch",
		Clause: "Touch changes an entry's expiry and leaves its value. Atomic: it never brings back a value that was replaced.",
		Needs:  cache.CanTouch,
		run: func(p *probe) {
			key := p.key("k")
			p.set(key, "0")
			var touchers race
			p.each(1+len(touchers.rounds), func(i int) {
				if i > 0 {
					touchers.run(i-1, func() { p.touch(key, soon(time.Hour), true) })
					return
				}
				defer touchers.done.Store(true)
				for n := range 60 {
					touchers.stagger(n)
					value := strconv.Itoa(n)
					p.set(key, value)
					p.wantValue(key, value)
					touchers.settle(p)
					p.wantValue(key, value)
				}
			})

			value := strconv.Itoa
			p.contests(func(int) {}, func(contest, i int) {
				if i > 0 {
					p.touch(key, soon(time.Hour), true)
					return
				}
				linger(contest % 16)
				p.set(key, value(contest))
			}, func(contest int) { p.wantValue(key, value(contest)) })
		},
	}}
}
