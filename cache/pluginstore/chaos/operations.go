//go:build linux

package main

import (
	"context"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// What a worker does to the store, each with its record.

// found is what a caller of the store sees. A plugin that was ordered to lie
// may answer with an entry that has expired, which the store passes on for the
// conformance suite to see; to a user of the cache it is a miss, and so it is
// here, while the plugin lies and no longer.
func (w *worker) found(e cache.Entry, ok bool) output {
	if !ok || w.r.lies.Load() && e.Expired(time.Now()) {
		return output{}
	}
	return output{ok: true, value: nameOf(e.Value), expires: millis(e.Expires)}
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (w *worker) get(ctx context.Context, key string) (found bool) {
	r := w.begin(key, input{kind: get})
	e, ok, err := w.r.store.Get(ctx, key)
	w.end(r, w.found(e, ok), err)
	w.judge(ctx, "Get", key, err)
	if ok {
		w.read[key] = e.Value
	}
	return ok
}

// fill is what becomes of a key that is missed and loaded. That it was not
// stored says nothing: memory, where it serves, may not know any more whether
// the key was set, and then leaves it.
func (w *worker) fill(ctx context.Context, key string) {
	outage := w.r.store.Outage()
	if w.get(ctx, key) {
		return
	}
	w.r.counts.operations.Add(1)
	name, e := w.entry()
	r := w.begin(key, input{kind: setIfAbsent, value: name, expires: millis(e.Expires)})
	if ok, err := w.r.store.Fill(ctx, outage, key, e); ok || err != nil {
		w.end(r, output{ok: ok}, err)
	}
}

func (w *worker) set(ctx context.Context, key string) {
	name, e := w.entry()
	r := w.begin(key, input{kind: set, value: name, expires: millis(e.Expires)})
	err := w.r.store.Set(ctx, key, e)
	w.end(r, output{}, err)
	w.judge(ctx, "Set", key, err)
}

func (w *worker) delete(ctx context.Context, key string) {
	r := w.begin(key, input{kind: remove})
	err := w.r.store.Delete(ctx, key)
	w.end(r, output{}, err)
	w.judge(ctx, "Delete", key, err)
}

func (w *worker) getMany(ctx context.Context, keys []string) {
	records := make([]record, len(keys))
	for i, key := range keys {
		records[i] = w.begin(key, input{kind: get})
	}
	all, err := w.r.store.GetMany(ctx, keys)
	for i, r := range records {
		var out output
		if err == nil {
			out = w.found(all[i].Entry, all[i].Found)
		}
		w.end(r, out, err)
	}
	w.judge(ctx, "GetMany", keys[0], err)
}

func (w *worker) setMany(ctx context.Context, keys []string) {
	items := make([]cache.Item, len(keys))
	records := make([]record, len(keys))
	for i, key := range keys {
		name, e := w.entry()
		items[i] = cache.Item{Key: key, Entry: e}
		records[i] = w.begin(key, input{kind: set, value: name, expires: millis(e.Expires)})
	}
	err := w.r.store.SetMany(ctx, items)
	for _, r := range records {
		w.end(r, output{}, err)
	}
	w.judge(ctx, "SetMany", keys[0], err)
}

func (w *worker) deleteMany(ctx context.Context, keys []string) {
	records := make([]record, len(keys))
	for i, key := range keys {
		records[i] = w.begin(key, input{kind: remove})
	}
	err := w.r.store.DeleteMany(ctx, keys)
	for _, r := range records {
		w.end(r, output{}, err)
	}
	w.judge(ctx, "DeleteMany", keys[0], err)
}

// clear empties the worker's own keys, or those that all share.
func (w *worker) clear(ctx context.Context) {
	prefix, keys := ownSpace(w.id), w.own
	if w.rng.IntN(2) == 0 {
		prefix, keys = sharedSpace, sharedAndCounters()
	}
	records := make([]record, len(keys))
	for i, key := range keys {
		records[i] = w.begin(key, input{kind: remove})
	}
	err := w.r.store.Clear(ctx, prefix)
	for _, r := range records {
		w.end(r, output{}, err)
	}
	ret := w.r.now()
	if err != nil {
		ret = noReturn // it may be done as long as the process lives
	}
	w.clears = append(w.clears, record{key: prefix, client: w.id, call: records[0].call, ret: ret})
	w.r.counts.operations.Add(1)
}

func sharedAndCounters() []string {
	var keys []string
	for i := range sharedKeys {
		keys = append(keys, sharedKey(i))
	}
	for i := range counterKeys {
		keys = append(keys, counterKey(i))
	}
	return keys
}

// atomic does what only the plugin itself can do; it may fail at any time.
func (w *worker) atomic(ctx context.Context) {
	w.r.counts.operations.Add(1)
	key := sharedKey(w.rng.IntN(sharedKeys))
	switch w.rng.IntN(8) {
	case 0, 1, 2:
		w.increment(ctx, counterKey(w.rng.IntN(counterKeys)))
	case 3, 4:
		name, e := w.entry()
		r := w.beginAtomic(key, input{kind: swap, value: name, old: nameOf(w.read[key]), expires: millis(e.Expires)})
		ok, err := w.r.store.CompareAndSwap(ctx, key, w.read[key], e)
		w.end(r, output{ok: ok}, err)
	case 5:
		r := w.beginAtomic(key, input{kind: swapDelete, old: nameOf(w.read[key])})
		ok, err := w.r.store.CompareAndDelete(ctx, key, w.read[key])
		w.end(r, output{ok: ok}, err)
	case 6:
		name, e := w.entry()
		r := w.beginAtomic(key, input{kind: setIfAbsent, value: name, expires: millis(e.Expires)})
		ok, err := w.r.store.SetIfAbsent(ctx, key, e)
		w.end(r, output{ok: ok}, err)
	case 7:
		expires := cache.Deadline(time.Now(), time.Duration(w.rng.IntN(500))*time.Millisecond)
		r := w.beginAtomic(key, input{kind: touch, expires: millis(expires)})
		ok, err := w.r.store.Touch(ctx, key, expires)
		w.end(r, output{ok: ok}, err)
	}
}

func (w *worker) increment(ctx context.Context, key string) {
	r := w.beginAtomic(key, input{kind: increment, delta: 1 + w.rng.Int64N(9)})
	sum, expires, err := w.r.store.Increment(ctx, key, r.in.delta, time.Time{})
	w.end(r, output{sum: sum, expires: millis(expires)}, err)
}
