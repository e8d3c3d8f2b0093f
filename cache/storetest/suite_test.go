package storetest

import (
	"context"
	"errors"
	"iter"
	"strings"
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

func TestPanicFailsTheCaseAlone(t *testing.T) {
	b := newBroken()
	b.getMany = func(context.Context, []string) ([]cache.Lookup, error) {
		var none []cache.Lookup
		return none[:1], nil
	}
	b.swap = func(context.Context, string, []byte, cache.Entry) (bool, error) { panic(errors.New("boom")) }
	results := newSuite(b, timeout).runNamed(t, "batch/get", "atomic/swap", "batch/set", "scan/none")
	for name, want := range map[string]string{
		"batch/get":   "slice bounds out of range",
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
		b.getMany = func(context.Context, []string) ([]cache.Lookup, error) {
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

func TestCaseLeftBehindWritesNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBroken()
		sets := 0
		b.set = func(ctx context.Context, key string, e cache.Entry) error {
			sets++
			<-release
			return nil // the case would go on
		}
		r := newSuite(b, timeout).runNamed(t, "scan/prefix")["scan/prefix"]
		if !errors.Is(r.Err, errHung) {
			t.Errorf("scan/prefix: %v, want that it hangs", r.Err)
		}
		close(release)
		synctest.Wait()
		if sets != 1 {
			t.Errorf("%d calls of Set, want the one that hung", sets)
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
