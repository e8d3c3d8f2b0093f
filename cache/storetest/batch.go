package storetest

import (
	"bytes"
	"strconv"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// item is an Item that never expires.
func item(key, value string) cache.Item {
	return cache.Item{Key: key, Entry: cache.Entry{Value: []byte(value)}}
}

func (p *probe) setMany(items ...cache.Item) {
	if err := p.store.SetMany(p.ctx, items); err != nil {
		p.fatalf("SetMany of %d items: %w", len(items), err)
	}
}

func (p *probe) deleteMany(keys ...string) {
	if err := p.store.DeleteMany(p.ctx, keys); err != nil {
		p.fatalf("DeleteMany of %d keys: %w", len(keys), err)
	}
}

// getMany demands one answer for each key.
func (p *probe) getMany(keys ...string) []cache.Lookup {
	found, err := p.store.GetMany(p.ctx, keys)
	if err != nil {
		p.fatalf("GetMany of %d keys: %w", len(keys), err)
	}
	if len(found) != len(keys) {
		p.fatalf("GetMany of %d keys returns %d answers", len(keys), len(found))
	}
	return found
}

// missing stands for a miss in what wantMany wants.
const missing = "(a miss)"

func (p *probe) wantMany(keys []string, want ...string) {
	for i, l := range p.getMany(keys...) {
		got := missing
		if l.Found {
			got = string(l.Entry.Value)
		}
		if got != want[i] {
			p.fatalf("GetMany: answer %d of %d, for %s, is %s, want %s", i+1, len(keys), p.name(keys[i]), short(got), short(want[i]))
		}
	}
}

// wantBatches sets, gets and deletes n keys at a time.
func (p *probe) wantBatches(n int) {
	var (
		keys   []string
		items  []cache.Item
		values []string
		none   []string
	)
	for i := range n {
		keys = append(keys, p.key(strconv.Itoa(i)))
		values = append(values, string(noise(i%50, uint64(i))))
		items = append(items, item(keys[i], values[i]))
		none = append(none, missing)
	}
	p.setMany(items...)
	p.wantMany(keys, values...)
	p.wantMany(append(keys[n/2:n:n], keys[:n/2]...), append(values[n/2:n:n], values[:n/2]...)...)
	p.deleteMany(keys[:n/2]...)
	p.wantMany(keys, append(none[:n/2:n/2], values[n/2:]...)...)
	p.deleteMany(append(keys[:n:n], keys[n/2:]...)...)
	p.wantMany(keys, none...)
}

func batchCases() []Case {
	return []Case{{
		Name:   "batch/get",
		Clause: "GetMany returns one Lookup for each key, in the order of keys.",
		Needs:  cache.CanBatch,
		run: func(p *probe) {
			a, b, empty, none := p.key("a"), p.key("b"), p.key("empty"), p.key("none")
			p.set(a, "1")
			p.set(b, "2")
			p.set(empty, "")
			p.wantMany([]string{b, a}, "2", "1")
			p.wantMany([]string{none, b, none, a, empty, b, b}, missing, "2", missing, "1", "", "2", "2")
			p.wantMany([]string{none}, missing)
			p.delete(a)
			p.wantMany([]string{a, b}, missing, "2")
		},
	}, {
		Name:   "batch/set",
		Clause: "SetMany sets the items in their order: of two with one key the last wins.",
		Needs:  cache.CanBatch,
		run: func(p *probe) {
			a, b, c := p.key("a"), p.key("b"), p.key("c")
			p.set(a, "old")
			p.setMany(item(a, "1"), item(b, "2"), item(a, "3"), item(c, ""), item(b, "4"), item(a, "5"))
			p.wantValue(a, "5")
			p.wantValue(b, "4")
			p.wantValue(c, "")
		},
	}, {
		Name:   "batch/delete",
		Clause: "DeleteMany removes the keys, and no other. A key that is not there is no error.",
		Needs:  cache.CanBatch,
		run: func(p *probe) {
			a, b, none, stays := p.key("a"), p.key("b"), p.key("none"), p.key("ab")
			p.setMany(item(a, "1"), item(b, "2"), item(stays, "3"))
			p.deleteMany(none, a, b, a)
			p.wantMiss(a)
			p.wantMiss(b)
			p.wantValue(stays, "3")
		},
	}, {
		Name:   "batch/empty",
		Clause: "A batch of nothing does nothing.",
		Needs:  cache.CanBatch,
		run: func(p *probe) {
			key := p.key("k")
			p.set(key, "value")
			p.getMany()
			p.setMany()
			p.deleteMany()
			p.wantValue(key, "value")
		},
	}, {
		Name:   "batch/thousand",
		Clause: "Batcher does many operations in one call. GetMany answers in the order of keys.",
		Needs:  cache.CanBatch,
		run: func(p *probe) {
			p.wantBatches(1000)
		},
	}, {
		Name:   "batch/thousands",
		Clause: "Batcher does many operations in one call, however many they are. (Checked with 5 000, some of a key twice.)",
		Needs:  cache.CanBatch,
		run: func(p *probe) {
			p.wantBatches(5000)
		},
	}, {
		Name:   "batch/large",
		Clause: "Batcher does many operations in one call, however many bytes they are. (Checked with 9 values of 1 MiB, or of the limit if that is less.)",
		Needs:  cache.CanBatch,
		run: func(p *probe) {
			n := min(1<<20, p.maxValue())
			var (
				keys  []string
				items []cache.Item
			)
			for i := range 9 {
				keys = append(keys, p.key(strconv.Itoa(i)))
				items = append(items, cache.Item{Key: keys[i], Entry: cache.Entry{Value: noise(n, uint64(i))}})
			}
			p.setMany(items...)
			for i, l := range p.getMany(keys...) {
				if !l.Found || !bytes.Equal(l.Entry.Value, items[i].Entry.Value) {
					p.fatalf("GetMany of %d values of %d bytes: number %d is found: %v, with %d bytes, and is not what was set", len(keys), n, i+1, l.Found, len(l.Entry.Value))
				}
			}
		},
	}, {
		Name:   "batch/expiry",
		Clause: "Each operation of a batch is whole: entries keep their Expires, and one that has expired removes its key.",
		Needs:  cache.CanBatch,
		run: func(p *probe) {
			hour, never, past, epoch := p.key("hour"), p.key("never"), p.key("past"), p.key("epoch")
			expires := soon(time.Hour)
			p.setEntry(never, cache.Entry{Value: []byte("old"), Expires: expires})
			p.set(past, "old")
			p.set(epoch, "old")
			p.setMany(
				cache.Item{Key: hour, Entry: cache.Entry{Value: []byte("1"), Expires: expires}},
				item(never, "2"),
				cache.Item{Key: past, Entry: cache.Entry{Value: []byte("3"), Expires: time.Now().Add(-time.Hour)}},
				cache.Item{Key: epoch, Entry: cache.Entry{Value: []byte("4"), Expires: time.UnixMilli(0)}},
			)
			keys := []string{hour, never, past, epoch}
			p.wantMany(keys, "1", "2", missing, missing)
			found := p.getMany(keys...)
			p.wantExpires("GetMany", hour, found[0].Entry.Expires, expires)
			p.wantExpires("GetMany", never, found[1].Entry.Expires, time.Time{})
		},
	}, {
		Name:   "batch/expired",
		Clause: "An entry is never returned at or past its Expires.",
		Needs:  cache.CanBatch,
		run: func(p *probe) {
			expired, stays, set := p.key("expired"), p.key("stays"), p.key("set")
			p.set(stays, "1")
			expires := soon(40 * time.Millisecond)
			p.setMany(cache.Item{Key: set, Entry: cache.Entry{Value: []byte("old"), Expires: expires}})
			p.lapsed("old", expired)
			p.wantMany([]string{expired, stays, set}, missing, "1", missing)
		},
	}}
}
