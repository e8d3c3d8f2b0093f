package storetest

import (
	"time"

	"github.com/harpia-go/harpia/cache"
)

// setIfAbsent demands the answer want.
func (p *probe) setIfAbsent(key string, e cache.Entry, want bool) {
	stored, err := p.store.SetIfAbsent(p.ctx, key, e)
	if err != nil {
		p.fatalf("SetIfAbsent(%s): %w", p.name(key), err)
	}
	if stored != want {
		p.fatalf("SetIfAbsent(%s) reports %v, want %v", p.name(key), stored, want)
	}
}

func addCases() []Case {
	const clause = "SetIfAbsent stores e only if key holds nothing, and reports whether it did."
	return []Case{{
		Name:   "add/absent",
		Clause: clause,
		Needs:  cache.CanAdd,
		run: func(p *probe) {
			key, deleted := p.key("k"), p.key("deleted")
			expires := soon(time.Hour)
			p.setIfAbsent(key, cache.Entry{Value: []byte("value"), Expires: expires}, true)
			p.wantEntry(key, "value", expires)
			p.set(deleted, "old")
			p.delete(deleted)
			p.setIfAbsent(deleted, cache.Entry{}, true)
			p.wantEntry(deleted, "", time.Time{})
		},
	}, {
		Name:   "add/present",
		Clause: clause,
		Needs:  cache.CanAdd,
		run: func(p *probe) {
			key, empty := p.key("k"), p.key("empty")
			expires := soon(time.Hour)
			p.setEntry(key, cache.Entry{Value: []byte("old"), Expires: expires})
			p.setIfAbsent(key, cache.Entry{Value: []byte("new")}, false)
			p.wantEntry(key, "old", expires)
			p.set(empty, "")
			p.setIfAbsent(empty, cache.Entry{Value: []byte("new")}, false)
			p.wantValue(empty, "")
		},
	}, {
		Name:   "add/expired-is-absent",
		Clause: clause + " An entry past its Expires is nothing.",
		Needs:  cache.CanAdd,
		run: func(p *probe) {
			key := p.key("k")
			p.lapsed("old", key)
			p.setIfAbsent(key, cache.Entry{Value: []byte("new")}, true)
			p.wantEntry(key, "new", time.Time{})
		},
	}, {
		Name:   "add/with-past-expiry",
		Clause: "An entry is never returned at or past its Expires.",
		Needs:  cache.CanAdd,
		run: func(p *probe) {
			for _, expires := range []time.Time{time.Now().Add(-time.Hour), time.UnixMilli(0)} {
				key := p.key(stamp(expires))
				// Whether that counts as stored, the contract does not say.
				if _, err := p.store.SetIfAbsent(p.ctx, key, cache.Entry{Value: []byte("v"), Expires: expires}); err != nil {
					p.fatalf("SetIfAbsent(%s): %w", p.name(key), err)
				}
				p.wantMiss(key)
			}
		},
	}}
}
