package main

import (
	"context"

	"github.com/harpia-go/harpia/cache"
)

// hot holds entries that were read lately, beside the blocks that pebble
// holds: to find one in its block takes twenty times as long.
//
// What it holds is what a read of pebble would find. Whoever acquires the lock
// of a key, to write it, first has the copy forgotten, and none is added until
// the lock was released: a copy is added only by a reader that finds the lock
// free, and no one had it since before the reader read. What a write evicts for
// room, under the one lock that there is then, is forgotten where it goes.
type hot struct {
	entries *cache.Memory
	locks   *locks
}

const (
	hotBytes = 16 << 20
	hotValue = 4 << 10 // the longest value that is held
)

func newHot(l *locks) (*hot, error) {
	m, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: hotBytes})
	if err != nil {
		return nil, err
	}
	h := &hot{m, l}
	l.acquired, l.acquiredAll = h.forget, h.forgetAll
	return h, nil
}

func (h *hot) get(key string) (cache.Entry, bool) {
	e, found, _ := h.entries.Get(context.Background(), key)
	return e, found
}

// add adds what was found under key by a read that began after seen was taken.
func (h *hot) add(key string, e cache.Entry, seen glimpse) {
	if len(e.Value) <= hotValue {
		h.locks.unless(seen, func() { _ = h.entries.Set(context.Background(), key, e) })
	}
}

func (h *hot) forget(key string) { _ = h.entries.Delete(context.Background(), key) }

func (h *hot) forgetAll() { _ = h.entries.Clear(context.Background(), "") }

func (h *hot) close() error { return h.entries.Close() }
