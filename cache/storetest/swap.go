package storetest

import (
	"time"

	"github.com/harpia-go/harpia/cache"
)

// swap demands the answer want.
func (p *probe) swap(key, old string, e cache.Entry, want bool) {
	swapped, err := p.store.CompareAndSwap(p.ctx, key, []byte(old), e)
	if err != nil {
		p.fatalf("CompareAndSwap(%s, %s): %w", p.name(key), short(old), err)
	}
	if swapped != want {
		p.fatalf("CompareAndSwap(%s, %s) reports %v, want %v", p.name(key), short(old), swapped, want)
	}
}

// compareAndDelete demands the answer want.
func (p *probe) compareAndDelete(key, old string, want bool) {
	deleted, err := p.store.CompareAndDelete(p.ctx, key, []byte(old))
	if err != nil {
		p.fatalf("CompareAndDelete(%s, %s): %w", p.name(key), short(old), err)
	}
	if deleted != want {
		p.fatalf("CompareAndDelete(%s, %s) reports %v, want %v", p.name(key), short(old), deleted, want)
	}
}

// others are values that are not exactly "value".
func others() []string {
	return []string{"", "valu", "value ", "Value", "value\x00", "\x00value"}
}

// lookAlikes are groups of values that are equal to somebody: as numbers, as text,
// as JSON, to a database's collation, but never as bytes.
func lookAlikes() [][]string {
	return [][]string{
		{"1", "1.0", "01", "+1", " 1", "1 ", "1e0", "0x1", "1\n", "1\x00", "true", "\"1\""},
		{"0", "-0", "0.0", "00", "", "false", "null"},
		{"9007199254740993", "9007199254740992", "9007199254740993.0"},
		{"text", "Text", "TEXT", "text ", " text", "text\x00", "te\u00adxt"},
		{"\u00e9", "e\u0301", "e", "\xe9"},
		{"ss", "\u00df"},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, `{"a": 1, "b": 2}`, `{"a":1.0,"b":2}`},
		{"\xff", "\ufffd", "\xfe"},
	}
}

func swapCases() []Case {
	entry := func(value string) cache.Entry { return cache.Entry{Value: []byte(value)} }
	return []Case{{
		Name:   "swap/match",
		Clause: "CompareAndSwap stores e if key holds exactly the bytes old, and reports whether it did. Set's rules hold for e.",
		Needs:  cache.CanSwap,
		run: func(p *probe) {
			key := p.key("k")
			earlier, later := soon(time.Hour), soon(2*time.Hour)
			p.setEntry(key, cache.Entry{Value: []byte("a\x00\xff"), Expires: earlier})
			p.swap(key, "a\x00\xff", cache.Entry{Value: []byte("b"), Expires: later}, true)
			p.wantEntry(key, "b", later)
			p.swap(key, "b", entry(""), true)
			p.wantEntry(key, "", time.Time{})
			p.swap(key, "", entry("c"), true)
			p.wantValue(key, "c")
			p.swap(key, "c", entry("c"), true)
			p.wantValue(key, "c")
		},
	}, {
		Name:   "swap/mismatch",
		Clause: "CompareAndSwap stores e only if key holds exactly the bytes old.",
		Needs:  cache.CanSwap,
		run: func(p *probe) {
			key, empty := p.key("k"), p.key("empty")
			expires := soon(time.Hour)
			p.setEntry(key, cache.Entry{Value: []byte("value"), Expires: expires})
			for _, old := range others() {
				p.swap(key, old, entry("new"), false)
				p.wantEntry(key, "value", expires)
			}
			p.set(empty, "")
			p.swap(empty, "\x00", entry("new"), false)
			p.wantValue(empty, "")
		},
	}, {
		Name:   "swap/look-alikes",
		Clause: "CompareAndSwap and CompareAndDelete compare bytes, not numbers or text.",
		Needs:  cache.CanSwap,
		run: func(p *probe) {
			key := p.key("k")
			for _, values := range lookAlikes() {
				for _, value := range values {
					p.set(key, value)
					for _, old := range values {
						if old != value {
							p.swap(key, old, entry("new"), false)
							p.compareAndDelete(key, old, false)
						}
					}
					p.wantValue(key, value)
				}
			}
		},
	}, {
		Name:   "swap/absent",
		Clause: "CompareAndSwap: a key that holds nothing never matches, not even an empty old.",
		Needs:  cache.CanSwap,
		run: func(p *probe) {
			key, expired := p.key("k"), p.key("expired")
			p.swap(key, "", entry("new"), false)
			p.swap(key, "old", entry("new"), false)
			p.wantMiss(key)
			p.lapsed("old", expired)
			p.swap(expired, "old", entry("new"), false)
			p.swap(expired, "", entry("new"), false)
			p.wantMiss(expired)
		},
	}, {
		Name:   "swap/with-past-expiry",
		Clause: "An entry is never returned at or past its Expires; the value before it must not come back.",
		Needs:  cache.CanSwap,
		run: func(p *probe) {
			for _, expires := range []time.Time{time.Now().Add(-time.Hour), time.UnixMilli(0)} {
				key := p.key(stamp(expires))
				p.set(key, "old")
				p.swap(key, "old", cache.Entry{Value: []byte("new"), Expires: expires}, true)
				p.wantMiss(key)
			}
		},
	}, {
		Name:   "swap/delete-match",
		Clause: "CompareAndDelete removes key if it holds exactly the bytes old, and reports whether it did.",
		Needs:  cache.CanSwap,
		run: func(p *probe) {
			for _, value := range []string{"value", "", "\x00\xff"} {
				key := p.key("k")
				p.set(key, value)
				p.compareAndDelete(key, value, true)
				p.wantMiss(key)
				p.compareAndDelete(key, value, false)
			}
		},
	}, {
		Name:   "swap/delete-mismatch",
		Clause: "CompareAndDelete removes key only if it holds exactly the bytes old.",
		Needs:  cache.CanSwap,
		run: func(p *probe) {
			key, expired := p.key("k"), p.key("expired")
			expires := soon(time.Hour)
			p.setEntry(key, cache.Entry{Value: []byte("value"), Expires: expires})
			for _, old := range others() {
				p.compareAndDelete(key, old, false)
				p.wantEntry(key, "value", expires)
			}
			p.lapsed("old", expired)
			p.compareAndDelete(expired, "old", false)
			p.compareAndDelete(p.key("none"), "", false)
		},
	}}
}
