package storetest

import (
	"github.com/harpia-go/harpia/cache"
)

// clear never clears more than keys of its own case.
func (p *probe) clear(prefix string) {
	if err := p.store.Clear(p.ctx, prefix); err != nil {
		p.fatalf("Clear(%s): %w", p.name(prefix), err)
	}
}

func clearCases() []Case {
	return []Case{{
		Name:   "clear/prefix",
		Clause: "Clear removes every key that begins with prefix, and no other. A prefix is bytes, not a pattern.",
		Needs:  cache.CanClear,
		run: func(p *probe) {
			for _, g := range prefixes() {
				for _, name := range append(g.inside, g.outside...) {
					p.set(p.key(name), name)
				}
				for _, key := range p.within(g) {
					p.set(key, "out")
				}
			}
			for _, g := range prefixes() {
				p.clear(p.key(g.prefix))
				for _, name := range g.inside {
					p.wantMiss(p.key(name))
				}
				for _, name := range g.outside {
					p.wantValue(p.key(name), name)
				}
				for _, key := range p.within(g) {
					p.wantValue(key, "out")
				}
			}
		},
	}, {
		Name:   "clear/many",
		Clause: "Clear removes every key that begins with prefix, and no other.",
		Needs:  cache.CanClear,
		run: func(p *probe) {
			keys := p.fill(1500)
			before, after := p.key("fill."), p.key("fill0")
			p.set(before, "value")
			p.set(after, "value")
			p.clear(p.key("fill/"))
			p.each(len(keys), func(i int) { p.wantMiss(keys[i]) })
			p.wantValue(before, "value")
			p.wantValue(after, "value")
			p.set(keys[0], "again")
			p.wantValue(keys[0], "again")
		},
	}, {
		Name:   "clear/none",
		Clause: "Clear removes every key that begins with prefix: that there is none is no error.",
		Needs:  cache.CanClear,
		run: func(p *probe) {
			key := p.key("a")
			p.set(key, "value")
			p.clear(p.key("b"))
			p.clear(p.key("aa"))
			p.wantValue(key, "value")
		},
	}}
}
