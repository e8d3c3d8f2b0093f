package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// sweepEvery is how often expired entries are removed. Nobody reads them
// before that either: Get looks at the clock itself.
const sweepEvery = time.Second

// sweepPage is how many index entries are handled under one hold of their
// keys' locks.
const sweepPage = 64

// expiry knows how far the index of expiry was swept, so that a sweep does not
// pass over all that earlier ones deleted.
type expiry struct {
	// The sweep that is under way, or the last one, handles what is due before
	// swept, and what was due before done it has handled.
	swept, done atomic.Int64
}

// lower makes the next sweep begin at or before due. A writer calls it after
// its index entry became visible: either the sweep saw that, or the writer
// sees how far the sweep goes.
func (e *expiry) lower(due int64) {
	for _, at := range []*atomic.Int64{&e.swept, &e.done} {
		for old := at.Load(); due < old && !at.CompareAndSwap(old, due); {
			old = at.Load()
		}
	}
}

// dueKey is an index entry: at the time due, look at key.
type dueKey struct {
	due int64
	key string
}

// sweep removes what has expired by now.
func (s *Store) sweep(ctx context.Context) error {
	now := s.clock.Now().UnixMilli()
	from := s.expiry.swept.Swap(now + 1)
	err := s.duePages(from, now, func(page []dueKey) (bool, error) {
		s.expiry.done.Store(page[0].due)
		return true, errors.Join(ctx.Err(), s.writable(), s.sweepKeys(page))
	})
	if err != nil {
		s.expiry.lower(from)
		return err
	}
	s.expiry.done.Store(now + 1)
	return nil
}

// duePages calls fn with the index entries between from and now, a page at a
// time, as long as fn wants more.
func (s *Store) duePages(from, now int64, fn func([]dueKey) (more bool, err error)) error {
	next, end := indexKey(spaceDue, from, ""), indexKey(spaceDue, now+1, "")
	for bytes.Compare(next, end) < 0 {
		var page []dueKey
		err := s.each(next, end, func(k, _ []byte) (bool, error) {
			due, key, err := parseIndexKey(k)
			page = append(page, dueKey{due, key})
			return len(page) < sweepPage, err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		if more, err := fn(page); err != nil || !more {
			return err
		}
		last := page[len(page)-1]
		next = append(indexKey(spaceDue, last.due, last.key), 0)
	}
	return nil
}

func (s *Store) sweepKeys(page []dueKey) error {
	keys := make([]string, len(page))
	for i, d := range page {
		keys[i] = d.key
	}
	w := s.newWriter(0)
	err := func() error {
		held, _ := s.locks.acquire(keys)
		defer s.locks.release(held)
		w.now = s.clock.Now().UnixMilli()
		if _, err := s.removeExpired(w, page); err != nil {
			return err
		}
		// What is lost of this in a crash is swept again.
		return w.apply(pebble.NoSync)
	}()
	return w.finish(err)
}

// removeExpired writes the removal of the index entries in page and of the
// entries among them that have expired. It returns how many bytes go.
func (s *Store) removeExpired(w *writer, page []dueKey) (int64, error) {
	var freed int64
	for _, d := range page {
		r, found, release, err := s.lookup(d.key)
		if err != nil {
			return freed, err
		}
		// An entry that has been written since with a later expiry has an
		// index entry of its own.
		if found && r.expired(w.now) {
			freed += r.size(d.key)
			s.hot.forget(d.key) // it may go in another key's write
			err = w.remove(d.key)
		}
		release()
		if err != nil {
			return freed, err
		}
		if err := w.batch.Delete(indexKey(spaceDue, d.due, d.key), nil); err != nil {
			return freed, err
		}
	}
	s.garbage.add(freed)
	return freed, nil
}

// sweeper sweeps, and gives back what was removed, until ctx ends.
func (s *Store) sweeper(ctx context.Context) {
	tick, stop := s.clock.Tick(sweepEvery)
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		s.room.refresh()
		if s.writable() != nil {
			continue
		}
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			slog.Warn("file: expired entries were not removed", "error", err.Error())
		}
		if s.writable() == nil {
			s.reclaim(ctx)
		}
	}
}
