package storetest

import (
	"strconv"
	"strings"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// scan demands keys that begin with prefix, each once, and calls visit with
// each.
func (p *probe) scan(prefix string, visit func(key string)) (seen map[string]bool) {
	seen = make(map[string]bool)
	for key, err := range p.store.Scan(p.ctx, prefix) {
		if err != nil {
			p.fatalf("Scan(%s): %w", p.name(prefix), err)
		}
		if !strings.HasPrefix(key, prefix) {
			p.fatalf("Scan(%s) yields %s, which does not begin with that", p.name(prefix), p.name(key))
		}
		if seen[key] {
			p.fatalf("Scan(%s) yields %s twice", p.name(prefix), p.name(key))
		}
		seen[key] = true
		visit(key)
	}
	return seen
}

func noVisit(string) {}

// wantScan demands exactly the keys want.
func (p *probe) wantScan(prefix string, want ...string) {
	seen := p.scan(prefix, noVisit)
	for _, key := range want {
		if !seen[key] {
			p.fatalf("Scan(%s) does not yield %s", p.name(prefix), p.name(key))
		}
		delete(seen, key)
	}
	for key := range seen {
		p.fatalf("Scan(%s) yields %s, which is not there", p.name(prefix), p.name(key))
	}
}

// fill sets n keys and returns them.
func (p *probe) fill(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = p.key("fill/" + strconv.Itoa(i))
	}
	p.each(n, func(i int) { p.set(keys[i], strconv.Itoa(i)) })
	return keys
}

// prefixes are groups of names whose first one is the prefix of exactly the
// inside ones. They tell prefixes from patterns, from text, and from a range
// whose end is computed wrongly.
type prefixed struct {
	prefix          string
	inside, outside []string
}

func prefixes() []prefixed {
	return []prefixed{
		{"a/", []string{"a/", "a/1", "a/\x00", "a/\xff\xff"}, []string{"a", "a0", "a.", "A/1", "b/1", "aa/1"}},
		{"b\xff", []string{"b\xff", "b\xff\xff", "b\xffx"}, []string{"b", "b\xfe", "b\xfe\xff", "c", "c\x00"}},
		{"d\xff\xff", []string{"d\xff\xff", "d\xff\xff\x00"}, []string{"d\xff", "d\xff\xfe", "e", "e\x00"}},
		{"f\x00", []string{"f\x00", "f\x00\x00", "f\x00z"}, []string{"f", "f\x01", "f0"}},
		{"g*", []string{"g*", "g*1"}, []string{"g", "g1", "gx*"}},
		{"h?[a-z]", []string{"h?[a-z]", "h?[a-z]1"}, []string{"hxa", "h?a", "hxa1"}},
		{`i\`, []string{`i\`, `i\*`}, []string{"i", "i*", "i1"}},
		{"j_%", []string{"j_%", "j_%1"}, []string{"jx", "jxy", "j_1"}},
		{"k.+", []string{"k.+", "k.+1"}, []string{"kx", "kxx"}},
		{"é", []string{"é", "éa"}, []string{"e", "\xc3", "\xc3\xa8", "e\u0301"}},
		{"l\n", []string{"l\n", "l\nx", "l\n\r\n \""}, []string{"l", "lx", "l\r\n", "l\\nx"}},
		{"m ", []string{"m ", "m  x"}, []string{"m", "mx", "m\t", "m+x", "m%20x"}},
	}
}

// within are keys in which the prefix of a group stands as a whole, but not at
// their beginning.
func (p *probe) within(g prefixed) []string {
	whole := p.key(g.prefix)
	return []string{p.key("w/" + whole), p.key("w/" + whole + "1"), p.key("w" + whole)}
}

func scanCases() []Case {
	return []Case{{
		Name:   "scan/all",
		Clause: "Scan yields the keys that begin with prefix, and no key twice.",
		Needs:  cache.CanScan,
		run: func(p *probe) {
			keys := p.fill(3000)
			p.wantScan(p.key(""), keys...)
		},
	}, {
		Name:   "scan/prefix",
		Clause: "Scan yields the keys that begin with prefix. A prefix is bytes, not a pattern.",
		Needs:  cache.CanScan,
		run: func(p *probe) {
			for _, g := range prefixes() {
				var inside []string
				for _, name := range g.inside {
					inside = append(inside, p.key(name))
					p.set(p.key(name), "in")
				}
				for _, name := range g.outside {
					p.set(p.key(name), "out")
				}
				for _, key := range p.within(g) {
					p.set(key, "out")
				}
				p.wantScan(p.key(g.prefix), inside...)
			}
		},
	}, {
		Name:   "scan/none",
		Clause: "Scan yields the keys that begin with prefix: none if there is none.",
		Needs:  cache.CanScan,
		run: func(p *probe) {
			p.wantScan(p.key(""))
			p.set(p.key("a"), "value")
			p.wantScan(p.key("b"))
			p.wantScan(p.key("aa"))
		},
	}, {
		Name:   "scan/everything",
		Clause: "Scan yields the keys that begin with prefix: with an empty one, every key. (Given up in a store of over 100 000 other keys.)",
		Needs:  cache.CanScan,
		run: func(p *probe) {
			wanted := make(map[string]bool)
			for _, key := range p.fill(10) {
				wanted[key] = true
			}
			others := 0
			for key, err := range p.store.Scan(p.ctx, "") {
				if err != nil {
					p.fatalf("Scan of an empty prefix: %w", err)
				}
				delete(wanted, key)
				if others++; len(wanted) == 0 || others > 100_000 {
					return
				}
			}
			p.fatalf("Scan of an empty prefix ends and has not yielded %d keys of 10", len(wanted))
		},
	}, {
		Name:   "scan/gone",
		Clause: "Scan yields keys that are there: not one that was deleted or has expired.",
		Needs:  cache.CanScan,
		run: func(p *probe) {
			stays, deleted, expired, past := p.key("stays"), p.key("deleted"), p.key("expired"), p.key("past")
			p.set(stays, "value")
			p.set(deleted, "value")
			p.set(past, "value")
			p.delete(deleted)
			p.setEntry(past, cache.Entry{Value: []byte("value"), Expires: time.Now().Add(-time.Hour)})
			p.lapsed("value", expired)
			p.wantScan(p.key(""), stays)
		},
	}}
}
