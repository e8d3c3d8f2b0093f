package storetest

import (
	"bytes"

	"github.com/harpia-go/harpia/cache"
)

func valueCases() []Case {
	return []Case{{
		Name:   "value/empty",
		Clause: "Values may be empty. An empty value is found, and is no miss.",
		run: func(p *probe) {
			for name, value := range map[string][]byte{"nil": nil, "empty": {}} {
				key := p.key(name)
				p.wantMiss(key)
				p.setEntry(key, cache.Entry{Value: value})
				p.wantValue(key, "")
				p.delete(key)
				p.wantMiss(key)
			}
		},
	}, {
		Name:   "value/bytes",
		Clause: "Values are arbitrary bytes.",
		run: func(p *probe) {
			all := make([]byte, 256)
			for b := range all {
				all[b] = byte(b)
				one := p.key(string(all[b : b+1]))
				p.set(one, string(all[b:b+1]))
				p.wantValue(one, string(all[b:b+1]))
			}
			for _, value := range []string{
				string(all), "\x00", "a\x00", "\xff\xfe\xfd", "\xc3\x28", "line\r\nline\n", "null", `""`, "0", " padded ",
			} {
				p.set(p.key("text"), value)
				p.wantValue(p.key("text"), value)
			}
		},
	}, {
		Name:   "value/large",
		Clause: "Values up to the store's limit are stored. (Checked with 5 MiB, and with the limit itself if it is at most 16 MiB.)",
		run: func(p *probe) {
			const several = 5 << 20 // more than the 4 MiB at which many transports stop
			limit := p.maxValue()
			sizes := []int{min(several, limit)}
			if limit <= 16<<20 {
				sizes = append(sizes, limit-1, limit)
			}
			key := p.key("k")
			for i, n := range sizes {
				value := noise(n, uint64(i))
				p.setEntry(key, cache.Entry{Value: value})
				e, found := p.get(key)
				if !found {
					p.fatalf("a value of %d bytes is a miss after Set", n)
				}
				if !bytes.Equal(e.Value, value) {
					p.fatalf("a value of %d bytes came back as %d bytes that differ", n, len(e.Value))
				}
			}
		},
	}, {
		Name:   "value/handed-in",
		Clause: "Whoever receives a Value never changes it, nor what lies behind it.",
		run: func(p *probe) {
			key := p.key("k")
			const whole = "value, and what lies behind"
			buffer := []byte(whole)
			p.setEntry(key, cache.Entry{Value: buffer[:5]})
			p.wantValue(key, "value")
			p.set(key, "VALUE")
			p.delete(key)
			if string(buffer) != whole {
				p.fatalf("the buffer whose first 5 bytes were set is %s, was %s", short(buffer), short(whole))
			}
		},
	}, {
		Name:   "value/handed-out",
		Clause: "Whoever hands over a Value never changes it afterwards.",
		run: func(p *probe) {
			key := p.key("k")
			p.set(key, "first!")
			held := p.wantValue(key, "first!")
			for _, next := range []string{"second", "3rd", "and one that is longer"} {
				p.set(key, next)
				p.wantValue(key, next)
			}
			p.delete(key)
			for i := range 8 {
				p.set(p.key("other"), string(noise(6, uint64(i))))
			}
			if string(held.Value) != "first!" {
				p.fatalf("the value that Get returned was %q and became %s when the key was written", "first!", short(held.Value))
			}
		},
	}}
}
