package main

import (
	"bytes"
	"context"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// SetIfAbsent stores e if key holds nothing, and reports whether it did. An e
// that has already expired counts as stored, and gone.
func (s *Store) SetIfAbsent(ctx context.Context, key string, e cache.Entry) (stored bool, err error) {
	if err := cache.CheckEntry(key, e, cache.DefaultMaxValue); err != nil {
		return false, err
	}
	err = s.update(ctx, []string{key}, len(e.Value), func(w *writer) error {
		_, found, release, err := w.get(key)
		if err != nil {
			return err
		}
		defer release()
		if stored = !found; !stored {
			return nil
		}
		return w.set(key, e.Value, millis(e.Expires))
	})
	return stored && err == nil, err
}

// CompareAndSwap stores e if key holds exactly the bytes old, and reports
// whether it did. An e that has already expired removes the key.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
	if err := cache.CheckEntry(key, e, cache.DefaultMaxValue); err != nil {
		return false, err
	}
	return s.ifEqual(ctx, key, old, len(e.Value), func(w *writer) error {
		return w.set(key, e.Value, millis(e.Expires))
	})
}

// CompareAndDelete removes key if it holds exactly the bytes old, and reports
// whether it did.
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error) {
	if err := cache.CheckKey(key); err != nil {
		return false, err
	}
	return s.ifEqual(ctx, key, old, 0, func(w *writer) error { return w.remove(key) })
}

func (s *Store) ifEqual(ctx context.Context, key string, old []byte, size int, write func(*writer) error) (equal bool, err error) {
	err = s.update(ctx, []string{key}, size, func(w *writer) error {
		r, found, release, err := w.get(key)
		if err != nil {
			return err
		}
		defer release()
		if equal = found && bytes.Equal(r.value, old); !equal {
			return nil
		}
		return write(w)
	})
	return equal && err == nil, err
}

// Increment adds delta to the counter under key.
func (s *Store) Increment(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (n int64, expires time.Time, err error) {
	if err := cache.CheckKey(key); err != nil {
		return 0, time.Time{}, err
	}
	err = s.update(ctx, []string{key}, 0, func(w *writer) error {
		r, found, release, err := w.get(key)
		if err != nil {
			return err
		}
		defer release()
		if !found {
			r = record{value: []byte("0"), expires: millis(expiresIfNew)}
		}
		value, sum, err := cache.Add(r.value, delta)
		if err != nil {
			return err
		}
		n = sum
		expires = cache.ExpiryAt(r.expires)
		return w.set(key, value, r.expires)
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	return n, expires, nil
}

// Touch gives the entry under key another expiry, and reports whether there
// was one. It writes the whole entry again.
func (s *Store) Touch(ctx context.Context, key string, expires time.Time) (found bool, err error) {
	if err := cache.CheckKey(key); err != nil {
		return false, err
	}
	err = s.update(ctx, []string{key}, 0, func(w *writer) error {
		r, ok, release, err := w.get(key)
		if err != nil {
			return err
		}
		defer release()
		if found = ok; !found {
			return nil
		}
		return w.set(key, r.value, millis(expires))
	})
	return found && err == nil, err
}
