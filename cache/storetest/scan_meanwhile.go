package storetest

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync/atomic"

	"github.com/harpia-go/harpia/cache"
)

// What may happen while a Scan is under way.
func scanMeanwhileCases() []Case {
	return []Case{{
		Name:   "scan/stopped",
		Clause: "Scan is an iterator: its consumer may stop at any step, and the store works on.",
		Needs:  cache.CanScan,
		run: func(p *probe) {
			keys := p.fill(500)
			for i := range 20 {
				left := i
				for _, err := range p.store.Scan(p.ctx, p.key("")) {
					if err != nil {
						p.fatalf("Scan: %w", err)
					}
					if left--; left < 0 {
						break
					}
				}
				p.set(keys[i], "again")
				p.wantValue(keys[i], "again")
			}
			p.wantScan(p.key(""), keys...)
		},
	}, {
		Name:   "scan/store-used",
		Clause: "Scan: the consumer may use the store while it iterates.",
		Needs:  cache.CanScan,
		run: func(p *probe) {
			keys := p.fill(300)
			n := 0
			seen := p.scan(p.key("fill/"), func(key string) {
				n++
				if _, found := p.get(key); !found {
					p.fatalf("Get(%s) is a miss though Scan has just yielded it", p.name(key))
				}
				p.set(p.key("aside/"+strconv.Itoa(n)), "value")
				p.set(key, "changed")
				p.delete(key)
				p.wantMiss(key)
			})
			if len(seen) != len(keys) {
				p.fatalf("Scan yields %d keys of %d when each is deleted after it was yielded", len(seen), len(keys))
			}
			p.wantScan(p.key("fill/"))
		},
	}, {
		Name:   "scan/nested",
		Clause: "Scan: the consumer may use the store while it iterates: also Scan.",
		Needs:  cache.CanScan,
		run: func(p *probe) {
			keys := p.fill(10)
			seen := p.scan(p.key("fill/"), func(string) { p.wantScan(p.key("fill/"), keys...) })
			if len(seen) != len(keys) {
				p.fatalf("Scan yields %d keys of %d when there is another Scan at each step", len(seen), len(keys))
			}
		},
	}, {
		Name:   "scan/others-come-and-go",
		Clause: "Scan: a key that is there from the first to the last step is yielded, and no key twice; one that comes or goes meanwhile may be yielded or not.",
		Needs:  cache.CanScan,
		run: func(p *probe) {
			keys := p.fill(1000)
			var done atomic.Bool
			p.each(3, func(i int) {
				if i == 0 {
					defer done.Store(true)
					for range 3 {
						seen := p.scan(p.key(""), noVisit)
						for _, key := range keys {
							if !seen[key] {
								p.fatalf("Scan does not yield %s, which was there all the time", p.name(key))
							}
						}
					}
					return
				}
				for n := 0; !done.Load() && p.ctx.Err() == nil; n++ {
					// Among the others in any order, and each key again and again.
					key := p.key("fill/" + strconv.Itoa(n%300) + "-" + strconv.Itoa(i))
					p.set(key, "comes")
					if n%2 == 0 {
						p.delete(key)
					}
					runtime.Gosched()
				}
			})
		},
	}, {
		Name:   "scan/context-ends",
		Clause: "All methods honour ctx. An error ends a Scan; one that ends without an error was complete.",
		Needs:  cache.CanScan,
		run: func(p *probe) {
			const n = 1000
			p.fill(n)
			ctx, cancel := context.WithCancel(p.ctx)
			defer cancel()
			seen := 0
			var end error
			for _, err := range p.store.Scan(ctx, p.key("")) {
				if err != nil {
					end = err
					break
				}
				seen++
				cancel()
			}
			switch {
			case end != nil && !errors.Is(end, context.Canceled):
				p.fatalf("Scan ends with an error that does not wrap %q when its context is cancelled: %w", context.Canceled, end)
			case end == nil && seen != n:
				p.fatalf("Scan ends without an error after %d keys of %d when its context is cancelled", seen, n)
			}
			p.set(p.key("after"), "value")
			p.wantValue(p.key("after"), "value")
		},
	}}
}
