//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// What is done between the cycles, when no worker works.

// hasOneWriter tells the keys that say what must be there.
func hasOneWriter(key string) bool { return !strings.HasPrefix(key, sharedSpace) }

// prepare begins a segment. Keys that all write are written anew, so that it is
// known what they hold; so are those of which it is not known for other
// reasons. The rest keeps what it has: an acknowledged write has to survive any
// number of cycles.
func (r *run) prepare(ctx context.Context) error {
	keys := sharedAndCounters()
	for key := range r.unsure {
		keys = append(keys, key)
	}
	for key := range r.segment.pending {
		if hasOneWriter(key) && !r.unsure[key] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	clear(r.unsure)
	r.segment.heads = make(map[string]record)
	for key, w := range r.last {
		w.call, w.ret = r.now(), r.now()
		r.segment.heads[key] = w
	}
	for _, key := range keys {
		if err := r.rewrite(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// rewrite writes a key until the write succeeds.
func (r *run) rewrite(ctx context.Context, key string) error {
	w := r.driver
	for deadline := time.Now().Add(recovery); ; time.Sleep(time.Millisecond) {
		in, e := input{kind: remove}, cache.Entry{}
		write := func(ctx context.Context) error { return r.store.Delete(ctx, key) }
		if hasOneWriter(key) || w.rng.IntN(2) == 0 && !strings.HasPrefix(key, counterSpace) {
			in.kind = set
			in.value, e = w.entry()
			e.Expires = time.Time{}
			write = func(ctx context.Context) error { return r.store.Set(ctx, key, e) }
		}
		bounded, cancel := context.WithTimeout(ctx, r.scenario.patience())
		record := w.begin(key, in)
		err := write(bounded)
		w.end(record, output{}, err)
		cancel()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("%s cannot be written: %w", key, err)
		}
	}
}

// bulk writes many keys in a short time, so that there is something to replay.
func (r *run) bulk(ctx context.Context) {
	const keys, step = 1500, 300
	ctx, cancel := context.WithTimeout(ctx, r.scenario.patience())
	defer cancel()
	r.driver.hasty = false
	for i := 0; i < keys; i += step {
		var batch []string
		for n := range step {
			batch = append(batch, fmt.Sprintf("bulk/%d", i+n))
		}
		if r.driver.rng.IntN(4) == 0 {
			r.driver.deleteMany(ctx, batch)
		} else {
			r.driver.setMany(ctx, batch)
		}
	}
}

// readAll reads every key that was ever written.
func (r *run) readAll(ctx context.Context) error {
	seen := make(map[string]bool)
	for key := range r.last {
		seen[key] = true
	}
	for _, w := range append(r.callers, r.driver) {
		for _, rec := range w.records {
			seen[rec.key] = true
		}
	}
	keys := make([]string, 0, len(seen))
	for key := range seen {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	ctx, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	r.driver.hasty = false
	for batch := range slices.Chunk(keys, 500) {
		r.driver.getMany(ctx, batch)
	}
	return ctx.Err()
}

// countLost looks, of every key with one writer, whether the last acknowledged
// write is still there.
func (r *run) countLost(ctx context.Context) error {
	found := make(map[string]output)
	for key, records := range r.segment.byKey() {
		if !hasOneWriter(key) {
			continue
		}
		for _, rec := range records {
			switch {
			case rec.out.unknown:
				r.unsure[key] = true
			case rec.in.kind == set || rec.in.kind == remove:
				r.last[key] = rec
			case rec.in.kind == get && rec.client == r.driver.id:
				found[key] = rec.out
			}
		}
	}
	if !r.scenario.durable {
		return nil
	}
	for key, w := range r.last {
		if out, read := found[key]; !read || out.ok || r.unsure[key] || w.in.kind == remove || w.expiresSoon() {
			continue
		}
		if r.overlapsClear(w) {
			r.unsure[key] = true
			continue
		}
		missing, err := r.isMissing(ctx, key)
		if err != nil {
			return err
		}
		if missing && !w.expiresSoon() {
			r.counts.lost.Add(1)
			r.unsure[key] = true
			r.report.violation(r, verdict{key: key, records: r.segment.byKey()[key], reason: "an acknowledged write is lost"})
		}
	}
	return nil
}

// expiresSoon leaves out what may just have expired.
func (r record) expiresSoon() bool {
	return r.in.expires != 0 && time.Until(time.UnixMilli(r.in.expires)) < 100*time.Millisecond
}

// overlapsClear reports whether a Clear was under way during the write. When
// the plugin dies with both in flight, which came last is not known, and the
// key is emptied.
func (r *run) overlapsClear(w record) bool {
	return slices.ContainsFunc(r.clears, func(c record) bool {
		return (c.client != w.client || c.ret == noReturn) && c.call <= w.ret && w.call <= c.ret
	})
}

// isMissing reads the key again while the same process serves before and after.
func (r *run) isMissing(ctx context.Context, key string) (bool, error) {
	for {
		if err := r.await(ctx, "ready", isReady); err != nil {
			return false, err
		}
		before := r.store.Status().Generation
		_, ok, err := r.store.Get(ctx, key)
		if after := r.store.Status(); err == nil && isReady(after) && after.Generation == before {
			return !ok, nil
		}
		if err != nil && ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
}
