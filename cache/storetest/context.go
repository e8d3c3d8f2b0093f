package storetest

import (
	"context"
	"time"
)

func contextCases() []Case {
	var cases []Case
	for _, g := range groups() {
		cases = append(cases, Case{
			Name:   "context/" + g.name,
			Clause: "All methods honour ctx. One that has ended already ends the call with the context's error: " + g.methods() + ".",
			Needs:  g.can,
			run: func(p *probe) {
				p.set(p.key("k"), "value")
				cancelled, cancel := context.WithCancel(p.ctx)
				cancel()
				late, cancel := context.WithDeadline(p.ctx, time.Now().Add(-time.Hour))
				defer cancel()
				for _, c := range g.calls {
					key := p.key(c.method)
					p.wantError(c.method+" with a cancelled context", c.do(cancelled, p.store, key, []byte("v")), context.Canceled)
					p.wantError(c.method+" with a context past its deadline", c.do(late, p.store, key, []byte("v")), context.DeadlineExceeded)
				}
				p.wantValue(p.key("k"), "value")
				p.set(p.key("k"), "again")
				p.wantValue(p.key("k"), "again")
			},
		})
	}
	return cases
}
