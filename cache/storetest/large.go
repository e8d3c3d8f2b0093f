package storetest

import (
	"bytes"

	"github.com/harpia-go/harpia/cache"
)

// mostLarge is the longest value that LargeCases store.
const mostLarge = 256 << 20

// LargeCases are rows beside the table, which Check and Run only run where they are
// named: they store values as long as the store's limit allows, of 256 MiB at most,
// and take several times as much memory.
func LargeCases() []Case {
	const clause = "Values up to the store's limit are stored, and come back as they were. (Checked with the limit itself, or 256 MiB if that is less.)"
	return []Case{{
		Name:   "large/set",
		Clause: clause,
		run: func(p *probe) {
			key, value := p.key("k"), p.largest()
			p.setEntry(key, cache.Entry{Value: value})
			p.holdsLarge(key, value)
		},
	}, {
		Name:   "large/add",
		Clause: clause,
		Needs:  cache.CanAdd,
		run: func(p *probe) {
			key, value := p.key("k"), p.largest()
			if stored, err := p.store.SetIfAbsent(p.ctx, key, cache.Entry{Value: value}); !stored || err != nil {
				p.fatalf("SetIfAbsent of a value of %d bytes: %v, %w", len(value), stored, err)
			}
			p.holdsLarge(key, value)
		},
	}, {
		Name:   "large/swap",
		Clause: clause,
		Needs:  cache.CanSwap,
		run: func(p *probe) {
			key, value := p.key("k"), p.largest()
			p.set(key, "old")
			p.swap(key, "old", cache.Entry{Value: value}, true)
			p.holdsLarge(key, value)
			other := bytes.Clone(value) // the store may hold the value itself
			other[len(other)-1]++
			p.swap(key, string(other), cache.Entry{Value: []byte("new")}, false)
			p.swap(key, string(value), cache.Entry{Value: []byte("new")}, true)
			p.wantValue(key, "new")
		},
	}, {
		Name:   "large/batch",
		Clause: clause,
		Needs:  cache.CanBatch,
		run: func(p *probe) {
			// Alone: a bounded store may evict everything else for it.
			none, key, value := p.key("none"), p.key("k"), p.largest()
			p.setMany(cache.Item{Key: key, Entry: cache.Entry{Value: value}})
			found := p.getMany(none, key)
			p.wantLarge("GetMany", found[1].Entry, found[1].Found, value)
		},
	}}
}

// largest returns the longest value that the store takes, or that this suite stores.
func (p *probe) largest() []byte { return noise(min(p.maxValue(), mostLarge), 1) }

func (p *probe) holdsLarge(key string, want []byte) {
	e, found := p.get(key)
	p.wantLarge("Get", e, found, want)
}

func (p *probe) wantLarge(what string, e cache.Entry, found bool, want []byte) {
	if !found || !bytes.Equal(e.Value, want) {
		p.fatalf("%s of a value of %d bytes: found is %v, with %d bytes, and it is not what was set", what, len(want), found, len(e.Value))
	}
}
