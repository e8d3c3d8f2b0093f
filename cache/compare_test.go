package cache_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func TestCompareAndSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[string](t, cache.Options{TTL: time.Hour, Prefix: "p:"})
		ctx := t.Context()
		try := func(old string, want bool, opts ...cache.SetOption) {
			t.Helper()
			if ok, err := c.CompareAndSwap(ctx, "k", old, "new", opts...); ok != want || err != nil {
				t.Errorf("CompareAndSwap(%q) = %v, %v; want %v", old, ok, err, want)
			}
		}
		try("", false) // nothing is not the empty value
		mustSet(t, c, "k", "old", cache.TTL(0))
		try("else", false)
		wantValue(t, c, "k", "old")
		sets := c.Stats().Sets
		try("old", true)
		if got := c.Stats().Sets; got != sets+1 {
			t.Errorf("%d sets were counted before and %d after a swap", sets, got)
		}
		wantValue(t, c, "k", "new")
		time.Sleep(time.Hour) // the cache's own time to live, as with Set
		wantMiss(t, c, "k")
		mustSet(t, c, "k", "old")
		try("old", true, cache.TTL(time.Second))
		time.Sleep(time.Second)
		wantMiss(t, c, "k")
	})
}

func TestCompareAndDelete(t *testing.T) {
	c := newCache[string](t, cache.Options{Prefix: "p:"})
	mustSet(t, c, "k", "v")
	for _, old := range []string{"", "w"} {
		if ok, err := c.CompareAndDelete(t.Context(), "k", old); ok || err != nil {
			t.Errorf("CompareAndDelete(%q) = %v, %v", old, ok, err)
		}
	}
	wantValue(t, c, "k", "v")
	// Of all that delete the one value, one does.
	var won atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if ok, err := c.CompareAndDelete(t.Context(), "k", "v"); err != nil {
				t.Error(err)
			} else if ok {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d callers deleted one value", won.Load())
	}
	wantMiss(t, c, "k")
	if n := c.Stats().Deletes; n != 1 {
		t.Errorf("%d deletes were counted", n)
	}
}
