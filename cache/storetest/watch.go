package storetest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// watchEnds demands that err is no more than the end of ctx.
func (p *probe) watchEnds(ctx context.Context, err error) {
	if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
		p.fatalf("Watch: %w", err)
	}
}

func watchCases() []Case {
	return []Case{{
		Name:   "watch/first",
		Clause: "Watch yields a first element, which is always Change{All: true}.",
		Needs:  cache.CanWatch,
		run: func(p *probe) {
			for range 3 {
				told := false
				for change, err := range p.store.Watch(p.ctx) {
					p.watchEnds(p.ctx, err)
					if change != (cache.Change{All: true}) {
						p.fatalf("the first element of Watch is %+v", change)
					}
					told = true
					break
				}
				if !told {
					p.fatalf("Watch ends without an element")
				}
			}
			p.set(p.key("k"), "value")
			p.wantValue(p.key("k"), "value")
		},
	}, {
		Name:   "watch/own",
		Clause: "Watch yields changes that others make: not those made through this store.",
		Needs:  cache.CanWatch,
		run: func(p *probe) {
			ctx, cancel := context.WithCancel(p.ctx)
			defer cancel()
			first := true
			for change, err := range p.store.Watch(ctx) {
				p.watchEnds(ctx, err)
				if strings.HasPrefix(change.Key, p.prefix) {
					p.fatalf("Watch yields %s, which this store has changed itself", p.name(change.Key))
				}
				if !first {
					continue // somebody else's
				}
				first = false
				key := p.key("k")
				p.set(key, "value")
				p.setEntry(p.key("expires"), cache.Entry{Value: []byte("value"), Expires: soon(time.Hour)})
				p.set(key, "again")
				p.wantValue(key, "again")
				p.delete(key)
				// Silence cannot be proven; this bounds how long it is listened to.
				stop := time.AfterFunc(100*time.Millisecond, cancel)
				defer stop.Stop()
			}
		},
	}, {
		Name:   "watch/context-ends",
		Clause: "All methods honour ctx: Watch ends when its context does.",
		Needs:  cache.CanWatch,
		run: func(p *probe) {
			ctx, cancel := context.WithCancel(p.ctx)
			defer cancel()
			var end error
			for _, err := range p.store.Watch(ctx) {
				if end = err; err != nil {
					break
				}
				cancel()
			}
			p.watchEnds(ctx, end)
			if ctx.Err() == nil {
				p.fatalf("Watch ends of itself")
			}
		},
	}}
}
