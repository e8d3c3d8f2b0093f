package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// replayBatch is how many writes are told to the plugin in one step.
const replayBatch = 512

// replay tells the store all that was written while its plugin was down, and
// then calls serve, after which no write comes here any more. Until then
// nobody else uses the store, and reads and writes go on here; only while the
// last writes are told do new ones wait.
//
// Of a store that others change as well, the keys are only emptied: their
// values may be newer.
func (b *bridge) replay(ctx context.Context, store cache.Store, exclusive bool, serve func()) error {
	defer b.open()
	for rest := b.size().Entries; ; rest -= replayBatch {
		if err := b.clear(ctx, store); err != nil {
			return fmt.Errorf("pluginstore: the plugin's store could not be cleared: %w", err)
		}
		batch := b.next(rest)
		if err := send(ctx, store, batch, exclusive); err != nil {
			return fmt.Errorf("pluginstore: the plugin could not be told what was written meanwhile: %w", err)
		}
		if b.told(batch, serve) {
			return nil
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

// next returns the writes to be told next. The gate closes before the last of
// them, and at the latest when as many were told as there were at first, or
// a host that writes faster than the plugin would never be done.
func (b *bridge) next(rest int) []keyWrite {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gate == nil && (rest <= 0 || len(b.journal.writes) <= replayBatch) {
		b.gate = make(chan struct{})
	}
	return b.journal.take(replayBatch, time.Now())
}

// told forgets a batch. If nothing is left, and nothing can come, the plugin
// serves from now on.
func (b *bridge) told(batch []keyWrite, serve func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.journal.done(batch)
	if b.gate == nil || len(b.journal.writes) > 0 || b.journal.clear {
		return false
	}
	b.ended = true
	serve()
	return true
}

// open opens the gate.
func (b *bridge) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gate != nil {
		close(b.gate)
		b.gate = nil
	}
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
	if err := cache.SetMany(ctx, store, sets); isDown(err) {
		return err
	} else if err != nil {
		// The store does not take one of them, which is emptied instead.
		for _, it := range sets {
			if err := store.Set(ctx, it.Key, it.Entry); isDown(err) {
				return err
			} else if err != nil {
				deletes = append(deletes, it.Key)
			}
		}
	}
	return cache.DeleteMany(ctx, store, deletes)
}

// isDown reports whether err may be one of a store that does not serve, rather
// than its answer.
func isDown(err error) bool {
	return errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
