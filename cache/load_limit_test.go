package cache_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// hangs is a load that ignores its context for d.
func hangs(d time.Duration, value string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		time.Sleep(d)
		return value, nil
	}
}

// A load that ignores its limit ends at it for all who wait; the next caller loads
// anew, and what the first still brings is not stored.
func TestALoadEndsAtItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[string](t, cache.Options{LoadTimeout: time.Second})
		errs := make(chan error, 10)
		begun := time.Now()
		for range cap(errs) {
			go func() {
				_, err := c.GetOrLoad(t.Context(), "k", hangs(time.Minute, "late"))
				errs <- err
			}()
		}
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, cache.ErrLoadTimeout) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a load that hangs: %v", err)
			}
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("its callers waited %v", took)
		}
		if v, err := c.GetOrLoad(t.Context(), "k", hangs(0, "new")); v != "new" || err != nil {
			t.Errorf("the next load: %q, %v", v, err)
		}
		if n := c.Stats().LoadErrors; n != 1 {
			t.Errorf("%d loads failed", n)
		}
		if err := c.Delete(t.Context(), "k"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour) // the first load returns
		if v, ok, err := c.Get(t.Context(), "k"); ok || err != nil {
			t.Errorf("a late result was stored: %q, %v", v, err)
		}
	})
}

func TestCloseWaitsForTheLimitOfALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := cache.New[string](cache.Options{LoadTimeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = c.GetOrLoad(context.Background(), "k", hangs(time.Minute, "late")) }()
		synctest.Wait()
		begun := time.Now()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("Close took %v", took)
		}
		time.Sleep(time.Hour)
	})
}

func TestALoadMayCloseItsCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := cache.New[string](cache.Options{LoadTimeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		var closed atomic.Bool
		_, _ = c.GetOrLoad(t.Context(), "k", func(context.Context) (string, error) {
			err := c.Close()
			closed.Store(true)
			return "", err
		})
		synctest.Wait()
		if !closed.Load() {
			t.Error("Close has not returned to the load that called it")
		}
	})
}

// A load that asks for its own key gets an error at once, also by way of another
// key; and its context may be used once it is over.
func TestALoadAsksForItsOwnKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[string](t, cache.Options{})
		begun := time.Now()
		var kept context.Context
		_, err := c.GetOrLoad(t.Context(), "a", func(ctx context.Context) (string, error) {
			kept = ctx
			return c.GetOrLoad(ctx, "b", func(ctx context.Context) (string, error) {
				return c.GetOrLoad(ctx, "a", hangs(0, "v"))
			})
		})
		if !errors.Is(err, cache.ErrLoadsItself) || time.Since(begun) != 0 {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		if v, err := c.GetOrLoad(context.WithoutCancel(kept), "a", hangs(0, "v")); v != "v" || err != nil {
			t.Errorf("when the load is over: %q, %v", v, err)
		}
	})
}

// slowToStore takes its time to store what is loaded.
type slowToStore struct {
	cache.Store
	takes time.Duration
}

func (s slowToStore) Set(ctx context.Context, key string, e cache.Entry) error {
	time.Sleep(s.takes)
	return s.Store.Set(ctx, key, e)
}

// Who waits for a load gets what it loaded at its limit, though the store has not
// taken it yet; it is stored all the same, and a write comes after it.
func TestALoadedValueDoesNotWaitForASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := cache.NewMemory(cache.MemoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c := newCache[string](t, cache.Options{Store: slowToStore{m, 4 * time.Second}, LoadTimeout: time.Second})
		for range 2 { // the second joins the load
			begun := time.Now()
			v, err := c.GetOrLoad(t.Context(), "k", hangs(time.Second/2, "loaded"))
			if took := time.Since(begun); v != "loaded" || err != nil || took > time.Second {
				t.Errorf("%q, %v, after %v", v, err, took)
			}
		}
		if err := c.Set(t.Context(), "k", "set"); err != nil {
			t.Error(err)
		}
		if v, ok, err := c.Get(t.Context(), "k"); v != "set" || !ok || err != nil {
			t.Errorf("after a write: %q, %v, %v", v, ok, err)
		}
		if n := c.Stats().Loads; n != 1 {
			t.Errorf("it was loaded %d times", n)
		}
	})
}

// A load function that ends its goroutine has failed.
func TestALoadThatEndsItsGoroutineCountsAsAnError(t *testing.T) {
	c := newCache[string](t, cache.Options{})
	_, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (string, error) { runtime.Goexit(); return "", nil })
	if err == nil {
		t.Error("it succeeded")
	}
	if s := c.Stats(); s.Loads != 1 || s.LoadErrors != 1 {
		t.Errorf("the statistics are %+v", s)
	}
}

// Caches that load from each other, and in the end from themselves, are told so.
func TestALoadAsksForItselfThroughAnotherCache(t *testing.T) {
	a, b := newCache[string](t, cache.Options{}), newCache[string](t, cache.Options{})
	var fromA, fromB func(context.Context) (string, error)
	fromA = func(ctx context.Context) (string, error) { return b.GetOrLoad(ctx, "k", fromB) }
	fromB = func(ctx context.Context) (string, error) { return a.GetOrLoad(ctx, "k", fromA) }
	if _, err := a.GetOrLoad(t.Context(), "k", fromA); !errors.Is(err, cache.ErrLoadsItself) {
		t.Errorf("it got: %v", err)
	}
}
