package cache

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"time"
)

// One function for each optional interface: it uses the interface where the
// store has it, falls back on what the store has instead, or returns
// errors.ErrUnsupported. Atomic operations are never emulated with a Get and a
// Set.

// LimitsOf returns the limits of s: its own, or the defaults.
func LimitsOf(s Store) Limits {
	if l, ok := s.(Limiter); ok {
		return l.Limits()
	}
	return Limits{MaxValue: DefaultMaxValue}
}

// GetMany returns one Lookup for each key, in the order of keys. Without a
// Batcher it calls Get for each.
func GetMany(ctx context.Context, s Store, keys []string) ([]Lookup, error) {
	if b, ok := s.(Batcher); ok {
		if found, err := b.GetMany(ctx, keys); !errors.Is(err, errors.ErrUnsupported) {
			return found, err
		}
	}
	found := make([]Lookup, len(keys))
	for i, key := range keys {
		e, ok, err := s.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		found[i] = Lookup{Entry: e, Found: ok}
	}
	return found, nil
}

// SetMany sets the items in their order. Without a Batcher it calls Set for
// each.
func SetMany(ctx context.Context, s Store, items []Item) error {
	if b, ok := s.(Batcher); ok {
		if err := b.SetMany(ctx, items); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for _, it := range items {
		if err := s.Set(ctx, it.Key, it.Entry); err != nil {
			return err
		}
	}
	return nil
}

// DeleteMany removes the keys. Without a Batcher it calls Delete for each.
func DeleteMany(ctx context.Context, s Store, keys []string) error {
	if b, ok := s.(Batcher); ok {
		if err := b.DeleteMany(ctx, keys); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for _, key := range keys {
		if err := s.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// SetIfAbsent stores e if key holds nothing, and reports whether it did.
// Without an Adder it returns errors.ErrUnsupported.
func SetIfAbsent(ctx context.Context, s Store, key string, e Entry) (bool, error) {
	if a, ok := s.(Adder); ok {
		return a.SetIfAbsent(ctx, key, e)
	}
	return false, unsupported("SetIfAbsent")
}

// CompareAndSwap stores e if key holds old, and reports whether it did.
// Without a Swapper it returns errors.ErrUnsupported.
func CompareAndSwap(ctx context.Context, s Store, key string, old []byte, e Entry) (bool, error) {
	if sw, ok := s.(Swapper); ok {
		return sw.CompareAndSwap(ctx, key, old, e)
	}
	return false, unsupported("CompareAndSwap")
}

// CompareAndDelete removes key if it holds old, and reports whether it did.
// Without a Swapper it returns errors.ErrUnsupported.
func CompareAndDelete(ctx context.Context, s Store, key string, old []byte) (bool, error) {
	if sw, ok := s.(Swapper); ok {
		return sw.CompareAndDelete(ctx, key, old)
	}
	return false, unsupported("CompareAndDelete")
}

// Increment adds delta to the counter under key. Without a Counter it returns
// errors.ErrUnsupported.
func Increment(ctx context.Context, s Store, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
	if c, ok := s.(Counter); ok {
		return c.Increment(ctx, key, delta, expiresIfNew)
	}
	return 0, time.Time{}, unsupported("Increment")
}

// Touch changes the expiry of key and reports whether it held an entry.
// Without a Toucher it swaps the value for itself; without a Swapper it
// returns errors.ErrUnsupported.
func Touch(ctx context.Context, s Store, key string, expires time.Time) (bool, error) {
	if t, ok := s.(Toucher); ok {
		if found, err := t.Touch(ctx, key, expires); !errors.Is(err, errors.ErrUnsupported) {
			return found, err
		}
	}
	if !CapabilitiesOf(s).Has(CanSwap) {
		return false, unsupported("Touch")
	}
	for {
		e, ok, err := s.Get(ctx, key)
		if err != nil || !ok {
			return false, err
		}
		ok, err = CompareAndSwap(ctx, s, key, e.Value, Entry{Value: e.Value, Expires: expires})
		if err != nil || ok {
			return ok, err
		}
	}
}

// Scan yields the keys that begin with prefix. Without a Scanner it yields
// errors.ErrUnsupported.
func Scan(ctx context.Context, s Store, prefix string) iter.Seq2[string, error] {
	if sc, ok := s.(Scanner); ok {
		return sc.Scan(ctx, prefix)
	}
	return func(yield func(string, error) bool) { yield("", unsupported("Scan")) }
}

// Clear removes every key that begins with prefix. Without a Clearer it
// deletes what Scan lists; without a Scanner it returns errors.ErrUnsupported.
func Clear(ctx context.Context, s Store, prefix string) error {
	if c, ok := s.(Clearer); ok {
		if err := c.Clear(ctx, prefix); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	const batch = 512
	keys := make([]string, 0, batch)
	for key, err := range Scan(ctx, s, prefix) {
		if err != nil {
			return err
		}
		// A store that ignores the prefix must not cost the neighbours.
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if keys = append(keys, key); len(keys) == batch {
			if err := DeleteMany(ctx, s, keys); err != nil {
				return err
			}
			keys = keys[:0]
		}
	}
	return DeleteMany(ctx, s, keys)
}

// Watch yields the changes that others make. Without a Watcher it yields
// errors.ErrUnsupported.
func Watch(ctx context.Context, s Store) iter.Seq2[Change, error] {
	if w, ok := s.(Watcher); ok {
		return w.Watch(ctx)
	}
	return func(yield func(Change, error) bool) { yield(Change{}, unsupported("Watch")) }
}

// Flush makes acknowledged writes durable. Without a Flusher there is nothing
// to do.
func Flush(ctx context.Context, s Store) error {
	if f, ok := s.(Flusher); ok {
		if err := f.Flush(ctx); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return nil
}

// Close closes s if it is an io.Closer.
func Close(s Store) error {
	if c, ok := s.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
