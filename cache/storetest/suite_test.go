package storetest

import (
	"context"
	"errors"
	"iter"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// runNamed checks the cases that are named and returns the results by name.
func (s *suite) runNamed(t *testing.T, names ...string) map[string]Result {
	t.Helper()
	results := make(map[string]Result)
	for _, c := range s.cases() {
		for _, name := range names {
			if c.Name == name {
				results[name] = s.check(t.Context(), c)
			}
		}
	}
	if len(results) != len(names) {
		t.Fatalf("of the cases %q there are %d", names, len(results))
	}
	return results
}

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

func TestPanicFailsTheCaseAlone(t *testing.T) {
	b := newBroken()
	b.getMany = func(context.Context, []string) ([]cache.Lookup, error) {
		var m map[string]bool
		m["k"] = true
		return nil, nil
	}
	b.swap = func(context.Context, string, []byte, cache.Entry) (bool, error) { panic(errors.New("boom")) }
	results := newSuite(b, timeout).runNamed(t, "batch/get", "atomic/swap", "batch/set", "scan/none")
	for name, want := range map[string]string{
		"batch/get":   "assignment to entry in nil map",
		"atomic/swap": "boom", // on a goroutine of the case
	} {
		err := results[name].Err
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "TestPanicFailsTheCaseAlone") {
			t.Errorf("%s: %v, want %q and the function that panicked", name, err, want)
		}
	}
	for _, name := range []string{"batch/set", "scan/none"} {
		if err := results[name].Err; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHangFailsTheCaseAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer synctest.Wait() // what was left behind ends when the store answers
		defer close(release)
		b := newBroken()
		calls := 0
		b.getMany = func(context.Context, []string) ([]cache.Lookup, error) {
			calls++
			<-release
			return nil, nil
		}
		b.watch = func(ctx context.Context) iter.Seq2[cache.Change, error] {
			return func(yield func(cache.Change, error) bool) {
				yield(cache.Change{All: true}, nil)
				<-release
			}
		}
		results := newSuite(b, timeout).runNamed(t, "batch/get", "batch/set", "watch/context-ends", "flush/keeps")
		for name, method := range map[string]string{"batch/get": "GetMany", "watch/context-ends": "Watch"} {
			r := results[name]
			if !errors.Is(r.Err, errHung) || !strings.Contains(r.Err.Error(), method) {
				t.Errorf("%s: %v, want that %s hangs", name, r.Err, method)
			}
			if r.Elapsed < timeout {
				t.Errorf("%s was given up after %v", name, r.Elapsed)
			}
		}
		for _, name := range []string{"batch/set", "flush/keeps"} {
			if err := results[name].Err; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A store that honours ctx but never answers fails with the context's error.
func TestSlowStoreMeetsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroken()
		b.get = func(ctx context.Context, _ string) (cache.Entry, bool, error) {
			<-ctx.Done()
			return cache.Entry{}, false, ctx.Err()
		}
		r := newSuite(b, timeout).runNamed(t, "get/miss")["get/miss"]
		if !errors.Is(r.Err, context.DeadlineExceeded) || errors.Is(r.Err, errHung) {
			t.Errorf("get/miss: %v, want its deadline to be exceeded", r.Err)
		}
	})
}

func TestStoreThatAlwaysHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer synctest.Wait()
		defer close(release)
		b := newBroken()
		b.set = func(context.Context, string, cache.Entry) error { <-release; return nil }
		b.get = func(context.Context, string) (cache.Entry, bool, error) { <-release; return cache.Entry{}, false, nil }
		b.del = func(context.Context, string) error { <-release; return nil }
		start := time.Now()
		var results []Result
		passed, failed := Check(t.Context(), b, func(r Result) { results = append(results, r) })
		if passed != 0 || failed != len(results) || failed < len(newSuite(b, timeout).cases()) {
			t.Errorf("%d passed, %d failed, %d reported, want all to fail", passed, failed, len(results))
		}
		if took := time.Since(start); took > 5*time.Minute {
			t.Errorf("it took %v", took)
		}
		if last := results[len(results)-1]; last.Name != cleanup.Name {
			t.Errorf("the last result is %+v, want that the cleanup failed", last)
		}
	})
}

func TestCheckEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	r := newReference()
	enough := errors.New("enough")
	var last Result
	n := 0
	passed, failed := Check(ctx, r, func(r Result) {
		last = r
		if n++; n == 5 {
			cancel(enough)
		}
	})
	if passed != 5 || failed != 1 {
		t.Errorf("%d passed and %d failed, want 5 and 1", passed, failed)
	}
	if !errors.Is(last.Err, enough) {
		t.Errorf("the last result is %+v, want that it was not run and why", last)
	}
	if len(r.entries) != 0 {
		t.Errorf("%d entries are left", len(r.entries))
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
