package storetest

import "strconv"

func basicCases() []Case {
	return []Case{{
		Name:   "get/round-trip",
		Clause: "Get returns the entry under key. Expires zero: never.",
		run: func(p *probe) {
			key := p.key("k")
			p.set(key, "value")
			e := p.wantValue(key, "value")
			if !e.Expires.IsZero() {
				p.fatalf("Get(%s) has Expires %s, want zero (never)", p.name(key), stamp(e.Expires))
			}
		},
	}, {
		Name:   "get/miss",
		Clause: "A miss is a result, an outage is an error; they are never mixed.",
		run:    func(p *probe) { p.wantMiss(p.key("k")) },
	}, {
		Name:   "set/replaces",
		Clause: "Set replaces the entry under key.",
		run: func(p *probe) {
			key := p.key("k")
			for _, value := range []string{"first", "a value that is longer", "short", "", "again"} {
				p.set(key, value)
				p.wantValue(key, value)
			}
		},
	}, {
		Name:   "delete/removes",
		Clause: "Delete removes key.",
		run: func(p *probe) {
			key := p.key("k")
			p.set(key, "value")
			p.delete(key)
			p.wantMiss(key)
		},
	}, {
		Name:   "delete/missing",
		Clause: "Delete: a key that is not there is no error.",
		run: func(p *probe) {
			key := p.key("k")
			p.delete(key)
			p.wantMiss(key)
			p.set(key, "value")
			p.delete(key)
			p.delete(key)
		},
	}, {
		Name:   "delete/set-again",
		Clause: "A completed write is seen by every read that starts after it.",
		run: func(p *probe) {
			key := p.key("k")
			for i := range 100 {
				value := strconv.Itoa(i)
				p.set(key, value)
				p.wantValue(key, value)
				p.delete(key)
				p.wantMiss(key)
			}
		},
	}}
}
