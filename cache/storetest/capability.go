package storetest

import (
	"errors"
	"fmt"

	"github.com/harpia-go/harpia/cache"
)

// unguarded is a client of a store elsewhere, such as the host's of a
// plugin. The client itself answers errors.ErrUnsupported for what was not
// declared; the store that Unguarded returns passes those calls on, so that
// what is checked is the answer of the store elsewhere.
type unguarded interface {
	Unguarded() cache.Store
}

func capabilityCases() []Case {
	cases := []Case{{
		Name:   "capabilities/stable",
		Clause: "A store declares which of its optional methods work. What it declares does not change while it is open.",
		run: func(p *probe) {
			if can := cache.CapabilitiesOf(p.store.store); can != p.can {
				p.fatalf("the store declared %q and now declares %q", p.can, can)
			}
		},
	}}
	for _, g := range groups() {
		if g.can == 0 {
			continue
		}
		cases = append(cases, Case{
			Name:   "capabilities/no-" + g.name,
			Clause: fmt.Sprintf("Optional methods that are not declared answer errors.ErrUnsupported: %s.", g.methods()),
			Lacks:  g.can,
			run: func(p *probe) {
				stores := []*recorder{p.store}
				if u, ok := p.store.store.(unguarded); ok {
					stores = append(stores, &recorder{store: u.Unguarded(), log: p.store.log})
				}
				for _, s := range stores {
					for _, c := range g.calls {
						err := c.do(p.ctx, s, p.key(c.method), []byte("1"))
						if errors.Is(err, errNoMethod) {
							continue // nothing that could be called
						}
						if err == nil {
							p.fatalf("%s works, though the store does not declare %q", c.method, g.name)
						}
						p.wantError(c.method+", which the store does not declare,", err, errors.ErrUnsupported)
					}
				}
			},
		})
	}
	return cases
}
