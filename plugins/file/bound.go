package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/harpia-go/harpia/cache"
)

// bound keeps the live bytes under max_bytes. It has an index of the entries
// by age, exact because each write first looks at what it replaces; the sum
// over the index is the live bytes. A store with a bound has a single lock, so
// all of this is under it.
type bound struct {
	s    *Store
	max  int64
	live int64
	age  int64 // the latest one given out
	// No entry of this age or older is left: evicting begins after it and does
	// not pass over all that it evicted before.
	evicted int64
}

const evictPage = 1000

// openBound sets up the bound of the store; max 0 is none.
func (s *Store) openBound(max int64) error {
	_, closer, err := s.db.Get(noteAges())
	kept := err == nil
	switch {
	case kept:
		err = closer.Close()
	case errors.Is(err, pebble.ErrNotFound):
		err = nil
	}
	if err != nil || (max == 0 && !kept) {
		return err
	}
	if max == 0 {
		return s.dropAges()
	}
	b := &bound{s: s, max: max}
	s.bound = b
	if kept {
		err = b.count()
	} else if err = s.dropAges(); err == nil {
		err = b.index()
	}
	if err != nil {
		return err
	}
	return b.evict(b.live-b.max, nil)
}

// replace notes that w writes an entry of size under key, and returns its age.
func (b *bound) replace(w *writer, key string, size int64) (age int64, err error) {
	if size > b.max {
		return 0, fmt.Errorf("%w: the entry counts %d bytes and max_bytes is %d", cache.ErrTooLarge, size, b.max)
	}
	if err := b.forget(w, key); err != nil {
		return 0, err
	}
	b.age = max(b.age+1, b.s.clock.Now().UnixNano())
	w.grow += size
	return b.age, setAge(w.batch, b.age, key, size)
}

// forget notes that w removes what is under key.
func (b *bound) forget(w *writer, key string) error {
	if w.keep[key] {
		return nil
	}
	if w.keep == nil {
		w.keep = make(map[string]bool)
	}
	w.keep[key] = true
	r, found, release, err := b.s.lookup(key)
	if err != nil || !found {
		return err
	}
	defer release()
	w.grow -= r.size(key)
	return w.batch.Delete(indexKey(spaceAge, r.age, key), nil)
}

// makeRoom evicts until what w writes fits: what has expired first, then the
// oldest, and nothing that w itself writes.
func (b *bound) makeRoom(w *writer) error {
	if over := b.live + w.grow - b.max; w.grow > 0 && over > 0 {
		return b.evict(over, w.keep)
	}
	return nil
}

func (b *bound) evict(over int64, keep map[string]bool) error {
	for _, evictSome := range []func(int64, map[string]bool) (int64, error){b.evictExpired, b.evictOldest} {
		for over > 0 {
			freed, err := evictSome(over, keep)
			if err != nil {
				return err
			}
			if freed == 0 {
				break
			}
			over -= freed
		}
	}
	return nil
}

func (b *bound) evictExpired(_ int64, keep map[string]bool) (freed int64, err error) {
	now := b.s.clock.Now().UnixMilli()
	err = b.s.duePages(b.s.expiry.done.Load(), now, func(page []dueKey) (bool, error) {
		w := b.s.newWriter(0)
		w.now = now
		var err error
		freed, err = b.s.removeExpired(w, without(page, keep))
		if err == nil {
			err = w.apply(pebble.NoSync)
		}
		return freed == 0, w.finish(err)
	})
	return freed, err
}

func without(page []dueKey, keep map[string]bool) []dueKey {
	var rest []dueKey
	for _, d := range page {
		if !keep[d.key] {
			rest = append(rest, d)
		}
	}
	return rest
}

func (b *bound) evictOldest(over int64, keep map[string]bool) (freed int64, err error) {
	w := b.s.newWriter(0)
	evicted, kept := b.evicted, false
	err = b.s.each(indexKey(spaceAge, b.evicted, ""), []byte{spaceAge + 1}, func(k, v []byte) (bool, error) {
		age, size, key, err := parseAge(k, v)
		if err != nil {
			return false, err
		}
		if keep[key] {
			kept = true
			return true, nil
		}
		if !kept {
			evicted = age
		}
		freed += size
		b.s.hot.forget(key)
		err = errors.Join(w.batch.Delete(entryKey(key), nil), w.batch.Delete(k, nil))
		return freed < over && w.batch.Count() < evictPage, err
	})
	if err == nil {
		w.grow = -freed
		// What a crash undoes of this is live, and counted when it is back.
		err = w.apply(pebble.NoSync)
	}
	if err = w.finish(err); err != nil {
		return 0, err
	}
	b.evicted = evicted
	b.s.garbage.add(freed)
	return freed, nil
}

// setMany writes items, of which those that fit count: were they written one
// after the other, the first would be evicted for the last.
func (b *bound) setMany(w *writer, items []cache.Item) error {
	last := make(map[string]int, len(items))
	for i, it := range items {
		last[it.Key] = i
	}
	fit, room := len(items), b.max
	for i := len(items) - 1; i >= 0; i-- {
		it := items[i]
		size := record{value: it.Entry.Value}.size(it.Key)
		if size > b.max {
			return fmt.Errorf("%w: an entry counts %d bytes and max_bytes is %d", cache.ErrTooLarge, size, b.max)
		}
		if last[it.Key] != i {
			continue
		}
		if room -= size; room >= 0 {
			fit = i
		}
	}
	for i, it := range items {
		var err error
		switch {
		case last[it.Key] != i:
		case i < fit:
			err = w.remove(it.Key)
		default:
			err = w.set(it.Key, it.Entry.Value, millis(it.Entry.Expires))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// clear removes the keys that begin with prefix, a page at a time.
func (b *bound) clear(ctx context.Context, prefix string) error {
	from, end := entryKey(prefix), prefixEnd(entryKey(prefix))
	for done := false; !done; {
		if err := ctx.Err(); err != nil {
			return err
		}
		w := b.s.newWriter(0)
		err := func() error {
			w.in = b.s.locks.acquireAll()
			defer b.s.locks.releaseAll()
			var keys []string
			before := b.live
			err := b.s.each(from, end, func(k, _ []byte) (bool, error) {
				keys = append(keys, string(k[1:]))
				return len(keys) < evictPage, nil
			})
			if err != nil {
				return err
			}
			done = len(keys) < evictPage
			for _, key := range keys {
				if err := w.remove(key); err != nil {
					return err
				}
				from = entryKey(key)
			}
			err = w.apply(pebble.Sync)
			b.s.garbage.add(before - b.live)
			return err
		}()
		if err := w.finish(err); err != nil {
			return err
		}
	}
	return nil
}
