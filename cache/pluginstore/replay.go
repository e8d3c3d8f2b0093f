package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/harpia-go/harpia/cache"
)

const (
	// replayBatch is how many writes are told to the plugin in one step, and
	// slowBatch how many at least to one that is slow.
	replayBatch = 512
	slowBatch   = 32
	// replayAtOnce is how many are told at a time to a plugin that takes no
	// batches.
	replayAtOnce = 16
	// gateShare is how long the writes that are told behind the gate should
	// take at first. Whatever they take, it opens after gateLimits times that.
	gateShare  = 50 * time.Millisecond
	gateLimits = 5
	// longestWait is how long a write waits at most, at the gate or for its turn.
	longestWait = 2 * time.Second
	// longBatch is how long a batch should take: it is set aside after slowTelling.
	longBatch = slowTelling / 2
)

// replay tells the store all that was written while its plugin was down, and
// then calls serve, after which no write comes here any more. Until then
// nobody else uses the store, and reads and writes go on here; only while the
// last writes are told, which is short, do new ones wait. After an error
// everything is still to be told.
//
// Of a store that others change as well, the keys are only emptied: their
// values may be newer.
func (b *bridge) replay(ctx context.Context, store cache.Store, exclusive bool, serve func()) error {
	defer b.finish()
	first := b.size().Entries
	left := first
	speed := speed{share: gateShare, size: replayBatch}
	// What is told and not answered when the replay ends goes on, unless it failed.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	t := &teller{bridge: b, send: func(batch []keyWrite) error { return send(life, store, batch, exclusive) }}
	fail := func(what string, err error) error {
		end()
		t.await()
		return fmt.Errorf("pluginstore: %s: %w", what, err)
	}
	for told := 0; ; {
		if err := b.clear(ctx, store); err != nil {
			return fail("the plugin's store could not be cleared", err)
		}
		patient := t.patient()
		before := left
		left = b.size().Entries
		behind := told > 0 && (told >= first || left > first)
		if behind && left >= before && speed.share < longestWait {
			speed.share *= 2 // it gets no closer to the end
		}
		batch := b.next(speed, behind, patient)
		began := time.Now()
		answered, err := t.tell(ctx, batch)
		if err != nil {
			return fail("the plugin could not be told what was written meanwhile", err)
		}
		if answered {
			served, err := b.told(batch, patient, serve)
			if err != nil {
				return fail("the journal that the plugin was told could not be removed", err)
			}
			if served {
				t.handOver(end)
				return nil
			}
		}
		if told += len(batch); len(batch) > 0 {
			speed.told(len(batch), time.Since(began), answered)
		}
	}
}

// clear empties the store if so many keys were written that they were not
// remembered.
func (b *bridge) clear(ctx context.Context, store cache.Store) error {
	b.mu.Lock()
	due := b.journal.clear
	b.journal.clear = false // it may become due again meanwhile
	b.mu.Unlock()
	if !due {
		return nil
	}
	err := cache.Clear(ctx, store, "")
	if err != nil {
		b.mu.Lock()
		b.journal.clear = true
		b.mu.Unlock()
	}
	return err
}

// next returns the writes to be told next, to a plugin of that speed. The gate
// closes before the last of them, unless others are still waited for. A host that
// writes faster than the plugin is told, which is behind then, is slowed to half the
// plugin's speed.
func (b *bridge) next(speed speed, behind, patient bool) []keyWrite {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := len(b.journal.writes) - len(b.aside)
	switch {
	case left <= speed.size && speed.of(left) <= speed.share && b.gate == nil && !patient:
		gate := make(chan struct{})
		b.gate = gate
		time.AfterFunc(speed.limit(), func() { b.open(gate) })
	case behind:
		b.pace = 2 * speed.each()
	}
	now := time.Now()
	for _, key := range b.quarantine.barred() {
		if w, ok := b.journal.of(key); ok && b.quarantine.hold(key, w) {
			b.journal.remove(key, w)
		}
	}
	isAside := func(key string) bool { _, ok := b.aside[key]; return ok }
	b.telling = b.journal.take(speed.size, now, func(key string) bool { return isAside(key) || b.quarantine.knows(key) })
	if len(b.telling) == 0 {
		b.telling = b.journal.take(1, now, isAside)
	}
	return b.telling
}

// setAside has the keys of a batch, which was sent at that time, not be told of
// anything else before it is answered.
func (b *bridge) setAside(batch []keyWrite, since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.aside == nil {
		b.aside = make(map[string]time.Time)
	}
	for _, w := range batch {
		b.aside[w.key] = since
	}
}

// answered takes a batch that was set aside for told.
func (b *bridge) answered(batch []keyWrite) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done(batch)
	for _, w := range batch {
		delete(b.aside, w.key)
	}
}

// done is called with b.mu held.
func (b *bridge) done(batch []keyWrite) {
	b.journal.done(batch)
	for _, w := range batch {
		b.quarantine.clear(w.key)
	}
}

// underWay returns the keys that the plugin was told of last.
func (b *bridge) underWay() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	keys := slices.Collect(maps.Keys(b.aside))
	for _, w := range b.telling {
		keys = append(keys, w.key)
	}
	return keys
}

// told takes a batch for told. If nothing is left, and nothing can come, the
// plugin serves from now on: without what is set aside, which the quarantine keeps,
// unless that is still waited for.
func (b *bridge) told(batch []keyWrite, patient bool, serve func()) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done(batch)
	b.telling = nil
	if b.gate == nil || b.journal.clear || len(b.journal.writes) > 0 && (patient || !b.isAllAside()) {
		return false, nil
	}
	for key, w := range b.journal.writes {
		b.quarantine.setAside(key, w, b.aside[key])
	}
	// Before any call goes to the plugin: what is told once more later would be older.
	if err := b.spool.release(b.quarantine); err != nil {
		b.quarantine.reclaim() // the journal has it still
		return false, err
	}
	b.ended = true
	serve()
	return true, nil
}

// isAllAside is called with b.mu held.
func (b *bridge) isAllAside() bool {
	for key := range b.journal.writes {
		if _, ok := b.aside[key]; !ok {
			return false
		}
	}
	return true
}

// open opens the gate, if it is still that one.
func (b *bridge) open(gate chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if gate != nil && b.gate == gate {
		close(gate)
		b.gate = nil
	}
}

// finish lets everybody go on after a replay. One that failed was in vain.
func (b *bridge) finish() {
	b.mu.Lock()
	gate := b.gate
	b.pace = 0
	if !b.ended {
		b.journal.again()
		b.aside = nil
	}
	b.mu.Unlock()
	b.open(gate)
}

// send tells the store a batch, whose keys differ.
func send(ctx context.Context, store cache.Store, batch []keyWrite, exclusive bool) error {
	var sets []cache.Item
	var deletes []string
	for _, w := range batch {
		if w.set && exclusive {
			sets = append(sets, cache.Item{Key: w.key, Entry: w.entry})
		} else {
			deletes = append(deletes, w.key)
		}
	}
	batches := cache.CapabilitiesOf(store).Has(cache.CanBatch)
	err := errors.ErrUnsupported
	if batches {
		err = cache.SetMany(ctx, store, sets)
	}
	if isDown(err) {
		return err
	}
	if err != nil {
		refused, err := setEach(ctx, store, sets)
		if err != nil {
			return err
		}
		deletes = append(deletes, refused...)
	}
	if batches {
		return cache.DeleteMany(ctx, store, deletes)
	}
	return deleteEach(ctx, store, deletes)
}

// setEach sets each item, and returns the keys of those that the store does not
// take, which are to be emptied instead.
func setEach(ctx context.Context, store cache.Store, items []cache.Item) (refused []string, err error) {
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(replayAtOnce)
	for _, it := range items {
		g.Go(func() error {
			err := store.Set(ctx, it.Key, it.Entry)
			if err == nil || isDown(err) {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			refused = append(refused, it.Key)
			return nil
		})
	}
	err = g.Wait()
	return refused, err
}

func deleteEach(ctx context.Context, store cache.Store, keys []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(replayAtOnce)
	for _, key := range keys {
		g.Go(func() error { return store.Delete(ctx, key) })
	}
	return g.Wait()
}

// isDown reports whether err may be one of a store that does not serve, rather
// than its answer.
func isDown(err error) bool {
	return errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
