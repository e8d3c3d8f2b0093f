package main

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/harpia-go/harpia/cache"
)

func noRelease() {}

// seeker finds records. What it sees is what there was when it was made.
type seeker struct {
	it  *pebble.Iterator
	key []byte // of the last lookup
}

func (s *Store) newSeeker() (seeker, error) {
	// Not Get, which does not ask the filters of the lowest level, where most
	// entries are: a miss would read a block of it.
	it, err := s.db.NewIter(&pebble.IterOptions{KeyTypes: pebble.IterKeyTypePointsOnly, UseL6Filters: true})
	return seeker{it: it}, wrap(err)
}

// lookup returns the record under key, live or expired. Its value is good until
// the next lookup.
func (k *seeker) lookup(key string) (r record, found bool, err error) {
	k.key = append(append(k.key[:0], spaceEntry), key...)
	if !k.it.SeekPrefixGE(k.key) {
		return record{}, false, wrap(k.it.Error())
	}
	b, err := k.it.ValueAndErr()
	if err == nil {
		r, err = parseRecord(b)
	}
	return r, err == nil, wrap(err)
}

func (k *seeker) close() error { return wrap(k.it.Close()) }

// lookup returns the record under key, live or expired. Its value is good
// until release, which the caller calls unless there is an error.
func (s *Store) lookup(key string) (r record, found bool, release func(), err error) {
	k, err := s.newSeeker()
	if err != nil {
		return record{}, false, noRelease, err
	}
	r, found, err = k.lookup(key)
	if err != nil || !found {
		return record{}, false, noRelease, errors.Join(err, k.close())
	}
	return r, true, func() { _ = k.close() }, nil
}

// Get returns the entry under key and whether there is one.
func (s *Store) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	if err := cache.CheckKey(key); err != nil {
		return cache.Entry{}, false, err
	}
	if err := s.enter(ctx); err != nil {
		return cache.Entry{}, false, err
	}
	defer s.leave()
	if e, found := s.hot.get(key); found {
		return s.live(e)
	}
	seen := s.locks.look(key)
	r, found, release, err := s.lookup(key)
	if err != nil {
		return cache.Entry{}, false, err
	}
	if !found {
		return cache.Entry{}, false, s.settle(ctx, key)
	}
	e := r.entry()
	release()
	if err := s.settle(ctx, key); err != nil {
		return cache.Entry{}, false, err
	}
	s.hot.add(key, e, seen)
	return s.live(e)
}

// live is the answer to a Get that found e.
func (s *Store) live(e cache.Entry) (cache.Entry, bool, error) {
	if e.Expired(s.clock.Now()) {
		return cache.Entry{}, false, nil
	}
	return e, true, nil
}

// GetMany returns one Lookup for each key, in the order of keys.
func (s *Store) GetMany(ctx context.Context, keys []string) ([]cache.Lookup, error) {
	for _, key := range keys {
		if err := cache.CheckKey(key); err != nil {
			return nil, err
		}
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	found := make([]cache.Lookup, len(keys))
	var cold []int // the places of those that are not hot
	for i, key := range keys {
		if found[i].Entry, found[i].Found = s.hot.get(key); !found[i].Found {
			cold = append(cold, i)
		}
	}
	if err := s.getCold(ctx, keys, cold, found); err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].Found {
			found[i].Entry, found[i].Found, _ = s.live(found[i].Entry)
		}
	}
	return found, nil
}

// getCold fills in what is found under the keys at some places.
func (s *Store) getCold(ctx context.Context, keys []string, places []int, found []cache.Lookup) error {
	if len(places) == 0 {
		return nil
	}
	// The next one is often near the one before.
	slices.SortFunc(places, func(a, b int) int { return strings.Compare(keys[a], keys[b]) })
	seen := make([]glimpse, len(places))
	for n, i := range places {
		seen[n] = s.locks.look(keys[i])
	}
	k, err := s.newSeeker()
	if err != nil {
		return err
	}
	for _, i := range places {
		var r record
		var ok bool
		if err = ctx.Err(); err != nil {
			break
		}
		if r, ok, err = k.lookup(keys[i]); err != nil {
			break
		}
		if ok {
			found[i] = cache.Lookup{Entry: r.entry(), Found: true}
		}
	}
	if err = errors.Join(err, k.close()); err != nil {
		return err
	}
	for n, i := range places {
		if err := s.settle(ctx, keys[i]); err != nil {
			return err
		}
		if found[i].Found {
			s.hot.add(keys[i], found[i].Entry, seen[n])
		}
	}
	return nil
}

// How many keys a page of a scan holds, and about how many bytes.
const (
	pageKeys  = 512
	pageBytes = 1 << 20
)

// Scan yields the live keys that begin with prefix, in their order. It reads
// them a page at a time and holds nothing while it yields. It passes over the
// values too, so a scan over large values reads much.
func (s *Store) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		from, end := entryKey(prefix), prefixEnd(entryKey(prefix))
		for {
			keys, err := s.page(ctx, from, end)
			if err != nil {
				yield("", err)
				return
			}
			if len(keys) == 0 {
				return
			}
			for _, key := range keys {
				if err := ctx.Err(); err != nil {
					yield("", err)
					return
				}
				if !yield(key, nil) {
					return
				}
			}
			// The first key that sorts after the last one.
			from = append(entryKey(keys[len(keys)-1]), 0)
		}
	}
}

// page returns the first live keys from from to before end. An empty page is
// the end.
func (s *Store) page(ctx context.Context, from, end []byte) ([]string, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	var keys []string
	size, now := 0, s.clock.Now().UnixMilli()
	err := s.each(from, end, func(k, v []byte) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		r, err := parseRecord(v)
		if err == nil && !r.expired(now) {
			keys = append(keys, string(k[1:]))
			size += len(k)
		}
		return len(keys) < pageKeys && size < pageBytes, err
	})
	for _, key := range keys {
		if err == nil {
			err = s.await(ctx, key)
		}
	}
	return keys, err
}

// each calls fn with the pebble keys from from to before end and their values,
// which are good until fn returns, as long as fn wants more.
func (s *Store) each(from, end []byte, fn func(k, v []byte) (more bool, err error)) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: end})
	if err != nil {
		return wrap(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		more := false
		if err == nil {
			more, err = fn(it.Key(), v)
		}
		if err != nil {
			return wrap(errors.Join(err, it.Close()))
		}
		if !more {
			break
		}
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return wrap(err)
	}
	return nil
}
