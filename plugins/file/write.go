package main

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/harpia-go/harpia/cache"
)

// Set replaces the entry under key. An entry that has already expired removes
// the key.
func (s *Store) Set(ctx context.Context, key string, e cache.Entry) error {
	if err := cache.CheckEntry(key, e, cache.DefaultMaxValue); err != nil {
		return err
	}
	return s.update(ctx, []string{key}, len(e.Value), func(w *writer) error {
		return w.set(key, e.Value, millis(e.Expires))
	})
}

// Delete removes key.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.DeleteMany(ctx, []string{key})
}

// DeleteMany removes the keys, all at once.
func (s *Store) DeleteMany(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := cache.CheckKey(key); err != nil {
			return err
		}
	}
	return s.update(ctx, keys, 0, func(w *writer) error {
		for _, key := range keys {
			if err := w.remove(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// maxBatch is well under what a batch of pebble can hold.
const maxBatch = 2 << 30

// SetMany sets the items, all at once.
func (s *Store) SetMany(ctx context.Context, items []cache.Item) error {
	keys, total := make([]string, len(items)), 0
	for i, it := range items {
		if err := cache.CheckEntry(it.Key, it.Entry, cache.DefaultMaxValue); err != nil {
			return err
		}
		keys[i] = it.Key
		total += len(it.Key) + len(it.Entry.Value) + entryOverhead
	}
	if total > maxBatch {
		return fmt.Errorf("%w: a batch of %d bytes, at most %d are allowed", cache.ErrTooLarge, total, maxBatch)
	}
	return s.update(ctx, keys, total, func(w *writer) error {
		if s.bound != nil {
			return s.bound.setMany(w, items)
		}
		for _, it := range items {
			if err := w.set(it.Key, it.Entry.Value, millis(it.Entry.Expires)); err != nil {
				return err
			}
		}
		return nil
	})
}

// fewKeys is how many keys are cheaper to delete one by one than by a range,
// which every later read near it has to consider.
const fewKeys = 128

// Clear removes every key that begins with prefix.
func (s *Store) Clear(ctx context.Context, prefix string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.writable(); err != nil {
		return err
	}
	if s.bound != nil && prefix != "" {
		return s.bound.clear(ctx, prefix)
	}
	w := s.newWriter(0)
	err := func() error {
		// No write may be between its reading and its writing meanwhile: it
		// would bring back what is cleared.
		w.in = s.locks.acquireAll()
		defer s.locks.releaseAll()
		if err := s.clearRange(w, prefix); err != nil {
			return err
		}
		if s.bound != nil {
			w.grow = -s.bound.live
		}
		return w.apply(pebble.Sync)
	}()
	return w.finish(err)
}

func (s *Store) clearRange(w *writer, prefix string) error {
	if prefix == "" {
		s.garbage.add(reclaimBytes)
		for _, space := range []byte{spaceEntry, spaceDue, spaceAge} {
			if err := w.batch.DeleteRange([]byte{space}, []byte{space + 1}, nil); err != nil {
				return err
			}
		}
		return nil
	}
	from, end := entryKey(prefix), prefixEnd(entryKey(prefix))
	var few [][]byte
	size, many := 0, false
	err := s.each(from, end, func(k, v []byte) (bool, error) {
		few = append(few, append([]byte(nil), k...))
		size += len(v)
		many = len(few) > fewKeys || size > pageBytes
		return !many, nil
	})
	if err != nil {
		return err
	}
	if many {
		s.garbage.add(reclaimBytes)
		return w.batch.DeleteRange(from, end, nil)
	}
	s.garbage.add(int64(len(few)) * guessedSize)
	for _, k := range few {
		if err := w.batch.Delete(k, nil); err != nil {
			return err
		}
	}
	return nil
}
