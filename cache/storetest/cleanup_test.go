package storetest

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// A store in use has entries of others, which are none of the suite's business
// whatever is wrong with the store.
func TestLeavesNothingAndTouchesNoOther(t *testing.T) {
	t.Parallel()
	others := map[string]cache.Entry{
		"user:1": {Value: []byte("Alice")}, "storetest": {}, "storetest-": {}, "s": {}, "a": {Value: []byte("1")}, "\xff": {}, "zz": {},
	}
	for _, test := range []struct {
		name string
		make func() (cache.Store, *reference)
	}{
		{"all is right", func() (cache.Store, *reference) { r := newReference(); return r, r }},
		{"three methods", func() (cache.Store, *reference) { s := newSmallest(); return s, s.r }},
		{"Get fails", func() (cache.Store, *reference) {
			b := newBroken()
			b.get = func(context.Context, string) (cache.Entry, bool, error) {
				return cache.Entry{}, false, cache.ErrUnavailable
			}
			return b, b.reference
		}},
		{"Get panics", func() (cache.Store, *reference) {
			b := newBroken()
			b.get = func(context.Context, string) (cache.Entry, bool, error) { panic("no") }
			return b, b.reference
		}},
		{"Delete does nothing", func() (cache.Store, *reference) {
			b := newBroken()
			b.del = func(context.Context, string) error { return nil }
			return b, b.reference
		}},
		{"Delete panics", func() (cache.Store, *reference) {
			b := newBroken()
			b.del = func(context.Context, string) error { panic("no") }
			return b, b.reference
		}},
		{"Delete fails", func() (cache.Store, *reference) {
			b := newBroken()
			b.del = func(context.Context, string) error { return cache.ErrUnavailable }
			return b, b.reference
		}},
		{"every key is accepted", func() (cache.Store, *reference) {
			b := newBroken()
			b.set = func(_ context.Context, key string, e cache.Entry) error {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.store(key, e)
				return nil
			}
			b.del = func(_ context.Context, key string) error {
				b.mu.Lock()
				defer b.mu.Unlock()
				delete(b.entries, key)
				return nil
			}
			return b, b.reference
		}},
		{"Touch creates", func() (cache.Store, *reference) {
			b := newBroken()
			b.touch = func(ctx context.Context, key string, expires time.Time) (bool, error) {
				return true, b.reference.Set(ctx, key, cache.Entry{})
			}
			return b, b.reference
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			store, behind := test.make()
			maps.Copy(behind.entries, others)
			Check(t.Context(), store, func(Result) {})
			if n := len(behind.entries) - len(others); n > 0 {
				t.Errorf("%d entries are left", n)
			}
			for key, e := range others {
				if got, ok := behind.entries[key]; !ok || string(got.Value) != string(e.Value) {
					t.Errorf("%q was %q and is %q, found %v", key, e.Value, got.Value, ok)
				}
			}
		})
	}
}

// remover is a store that knows the keys and prefixes that were to be removed.
type remover struct {
	*reference
	mu      sync.Mutex
	removed []string
}

func (r *remover) note(keys ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removed = append(r.removed, keys...)
}

func (r *remover) Delete(ctx context.Context, key string) error {
	r.note(key)
	return r.reference.Delete(ctx, key)
}

func (r *remover) DeleteMany(ctx context.Context, keys []string) error {
	r.note(keys...)
	return r.reference.DeleteMany(ctx, keys)
}

func (r *remover) CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error) {
	r.note(key)
	return r.reference.CompareAndDelete(ctx, key, old)
}

func (r *remover) Clear(ctx context.Context, prefix string) error {
	if prefix == "" {
		panic("Clear of everything")
	}
	r.note(prefix)
	return r.reference.Clear(ctx, prefix)
}

func TestKeepsToARandomPrefix(t *testing.T) {
	t.Parallel()
	r := &remover{reference: newReference()}
	s := newSuite(r, timeout)
	if _, failed := s.runAll(t.Context(), func(Result) {}); failed != 0 {
		t.Errorf("%d cases failed", failed)
	}
	if another := newSuite(r, timeout); another.prefix == s.prefix {
		t.Errorf("two runs have the prefix %q", s.prefix)
	}
	if len(s.keys) == 0 || len(r.removed) == 0 {
		t.Fatalf("%d keys written, %d removed", len(s.keys), len(r.removed))
	}
	for _, key := range append(s.keys, r.removed...) {
		// The empty key is used only to see that it is refused.
		if key != "" && !strings.HasPrefix(key, s.prefix) {
			t.Errorf("%s is not under the prefix %q", short(key), s.prefix)
		}
	}
}

func TestFailedCleanupIsReported(t *testing.T) {
	b := newBroken()
	writes := 0
	var mu sync.Mutex
	full := func() error {
		mu.Lock()
		defer mu.Unlock()
		if writes++; writes > 100 {
			return cache.ErrUnavailable
		}
		return nil
	}
	b.set = func(ctx context.Context, key string, e cache.Entry) error {
		if err := full(); err != nil {
			return err
		}
		return b.reference.Set(ctx, key, e)
	}
	b.del = func(ctx context.Context, key string) error {
		if err := full(); err != nil {
			return err
		}
		return b.reference.Delete(ctx, key)
	}
	var last Result
	Check(t.Context(), b, func(r Result) { last = r })
	if last.Name != cleanup.Name || !errors.Is(last.Err, cache.ErrUnavailable) {
		t.Errorf("the last result is %+v, want that the cleanup failed", last)
	}
}
