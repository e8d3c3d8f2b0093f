package storetest

import (
	"time"

	"github.com/harpia-go/harpia/cache"
)

const (
	// leastValue is the least limit that is of use, to callers and to this
	// suite.
	leastValue = 1 << 10
	// mostRefused is the longest value that is made in order to be refused.
	mostRefused = 1 << 30
)

// tooLarge returns a value over the store's limit, unless that is enormous.
func (p *probe) tooLarge() (value []byte, ok bool) {
	limit := p.maxValue()
	if limit >= mostRefused {
		return nil, false
	}
	return make([]byte, limit+1), true
}

const tooLargeClause = "Values over the store's limit are refused with ErrTooLarge, and the key keeps what it had. (Checked for limits under 1 GiB.)"

func limitCases() []Case {
	return []Case{{
		Name:   "limit/sane",
		Clause: "Limits are a store's own bounds. They do not change while it is open. (At least 1 KiB for a value.)",
		run: func(p *probe) {
			limit := p.maxValue()
			if limit < leastValue {
				p.fatalf("MaxValue is %d, want at least %d", limit, leastValue)
			}
			p.set(p.key("k"), "value")
			if again := p.maxValue(); again != limit {
				p.fatalf("MaxValue was %d and is now %d", limit, again)
			}
		},
	}, {
		Name:   "limit/set",
		Clause: tooLargeClause,
		run: func(p *probe) {
			value, ok := p.tooLarge()
			if !ok {
				return
			}
			kept, none := p.key("kept"), p.key("none")
			expires := soon(time.Hour)
			p.setEntry(kept, cache.Entry{Value: []byte("old"), Expires: expires})
			for _, key := range []string{kept, none} {
				p.wantError("Set of a value over the limit", p.store.Set(p.ctx, key, cache.Entry{Value: value}), cache.ErrTooLarge)
			}
			p.wantEntry(kept, "old", expires)
			p.wantMiss(none)
		},
	}, {
		Name:   "limit/add",
		Clause: tooLargeClause,
		Needs:  cache.CanAdd,
		run: func(p *probe) {
			value, ok := p.tooLarge()
			if !ok {
				return
			}
			kept, none := p.key("kept"), p.key("none")
			p.set(kept, "old")
			// There is something: that may be answered before the size is looked at.
			if stored, _ := p.store.SetIfAbsent(p.ctx, kept, cache.Entry{Value: value}); stored {
				p.fatalf("SetIfAbsent stored a value over the limit, over another value")
			}
			_, err := p.store.SetIfAbsent(p.ctx, none, cache.Entry{Value: value})
			p.wantError("SetIfAbsent of a value over the limit", err, cache.ErrTooLarge)
			p.wantValue(kept, "old")
			p.wantMiss(none)
		},
	}, {
		Name:   "limit/swap",
		Clause: tooLargeClause,
		Needs:  cache.CanSwap,
		run: func(p *probe) {
			value, ok := p.tooLarge()
			if !ok {
				return
			}
			key := p.key("k")
			p.set(key, "old")
			_, err := p.store.CompareAndSwap(p.ctx, key, []byte("old"), cache.Entry{Value: value})
			p.wantError("CompareAndSwap to a value over the limit", err, cache.ErrTooLarge)
			p.wantValue(key, "old")
		},
	}, {
		Name:   "limit/batch",
		Clause: tooLargeClause,
		Needs:  cache.CanBatch,
		run: func(p *probe) {
			value, ok := p.tooLarge()
			if !ok {
				return
			}
			kept, none := p.key("kept"), p.key("none")
			p.set(kept, "old")
			for _, key := range []string{kept, none} {
				err := p.store.SetMany(p.ctx, []cache.Item{
					{Key: p.key("small"), Entry: cache.Entry{Value: []byte("small")}},
					{Key: key, Entry: cache.Entry{Value: value}},
				})
				p.wantError("SetMany of a value over the limit", err, cache.ErrTooLarge)
			}
			p.wantValue(kept, "old")
			p.wantMiss(none)
		},
	}}
}
