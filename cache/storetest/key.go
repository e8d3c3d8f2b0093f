package storetest

import (
	"strconv"
	"strings"

	"github.com/harpia-go/harpia/cache"
)

func keyCases() []Case {
	cases := []Case{{
		Name:   "key/bytes",
		Clause: "Keys are arbitrary bytes.",
		run: func(p *probe) {
			var keys []string
			for b := range 256 {
				keys = append(keys, p.key("one-"+string([]byte{byte(b)})))
			}
			for _, name := range []string{
				"\x00", "\x00\x00", "a\x00b", "\xff\xff", "\xc3\x28", "\xed\xa0\x80", "\r\n", " ", "\t", "ключ", "🦅",
				"%41", "A%", "a b", `"`, `\`, "'; --", "{a}", "*", "?", "[a-z]", "..", "../x", "/", "//", "CON", ".",
			} {
				keys = append(keys, p.key("text-"+name))
			}
			p.wantApart(keys)
		},
	}, {
		Name:   "key/distinct",
		Clause: "Keys are arbitrary bytes: two that differ anywhere are two keys.",
		run: func(p *probe) {
			var keys []string
			for _, name := range []string{
				"a", "aa", "aaa", "A", "aA", "a ", " a", "a\x00", "\x00a", "a\n", "a/", "/a", "a/b", "a//b", "a/./b", "b/../a",
				"a%2Fb", "a\xff", "\xe9", "e\u0301", "\u00e9", "1", "01", "1.0", "+1",
			} {
				keys = append(keys, p.key(name))
			}
			p.wantApart(keys)
		},
	}, {
		Name:   "key/longest",
		Clause: "Keys are 1 to MaxKey bytes.",
		run: func(p *probe) {
			p.wantApart([]string{
				p.keyOf(cache.MaxKey, 'a'), p.keyOf(cache.MaxKey, 'b'), p.keyOf(cache.MaxKey-1, 'a'), p.keyOf(300, 'a'), p.keyOf(5000, 'a'),
			})
		},
	}}
	for _, g := range groups() {
		if !g.keyed {
			continue
		}
		cases = append(cases, Case{
			Name:   "key/refused-by-" + g.name,
			Clause: "Keys that are empty or longer than MaxKey are refused with ErrInvalidKey: " + g.methods() + ".",
			Needs:  g.can,
			run: func(p *probe) {
				for _, key := range []string{"", p.keyOf(cache.MaxKey+1, 'a')} {
					for _, c := range g.calls {
						err := c.do(p.ctx, p.store, key, []byte("value"))
						p.wantError(c.method+" with a key of "+strconv.Itoa(len(key))+" bytes", err, cache.ErrInvalidKey)
					}
				}
			},
		})
	}
	return cases
}

// keyOf returns a key of n bytes whose last one is last.
func (p *probe) keyOf(n int, last byte) string {
	key := p.key("")
	return key + strings.Repeat("k", n-len(key)-1) + string([]byte{last})
}

// wantApart demands that what is done to one of the keys is not done to
// another.
func (p *probe) wantApart(keys []string) {
	value := func(i int) string { return string(noise(16, uint64(i))) }
	for i, key := range keys {
		p.wantMiss(key)
		p.set(key, value(i))
	}
	for i, key := range keys {
		p.wantValue(key, value(i))
		p.delete(key)
		p.wantMiss(key)
	}
}
