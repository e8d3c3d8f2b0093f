package cache_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/harpia-go/harpia/cache"
)

func TestMemoryReclaimsWhileIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, cache.MemoryOptions{})
		memorySet(t, m, "forever", cache.Entry{})
		for i := range 1000 {
			memorySet(t, m, fmt.Sprint("late", i), cache.Entry{Expires: time.Now().Add(1000 * time.Hour)})
		}
		// Sooner than what the timer is armed for.
		for i := range 1000 {
			memorySet(t, m, fmt.Sprint("soon", i), cache.Entry{Expires: time.Now().Add(time.Second)})
		}
		reclaimed := func(want uint64) {
			t.Helper()
			synctest.Wait()
			if st := m.Stats(); st.Expirations != want || st.Entries != int(2001-want) {
				t.Errorf("%d entries and %d expirations, want %d expirations", st.Entries, st.Expirations, want)
			}
		}
		time.Sleep(time.Second - time.Millisecond)
		reclaimed(0)
		time.Sleep(101 * time.Millisecond)
		reclaimed(1000)
		time.Sleep(1000 * time.Hour)
		reclaimed(2000)
	})
}

// Many expiries in a row are swept together, not each on its own.
func TestMemorySweepsSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, cache.MemoryOptions{})
		for i := range 1000 {
			memorySet(t, m, fmt.Sprint(i), cache.Entry{Expires: time.Now().Add(time.Duration(i+1) * time.Millisecond)})
		}
		sweeps, before := 0, uint64(0)
		for range 1100 {
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if n := m.Stats().Expirations; n != before {
				sweeps, before = sweeps+1, n
			}
		}
		if before != 1000 || sweeps > 11 {
			t.Errorf("%d expirations in %d sweeps; want 1000 in at most 11", before, sweeps)
		}
	})
}

func TestMemoryReclaimsInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, cache.MemoryOptions{})
		r := rand.New(rand.NewPCG(1, 2))
		expires := map[string]time.Time{}
		for range 10_000 {
			key := strconv.Itoa(r.IntN(3000))
			if r.IntN(3) == 0 {
				delete(expires, key)
				if err := m.Delete(context.Background(), key); err != nil {
					t.Fatal(err)
				}
				continue
			}
			expires[key] = time.Now().Add(time.Duration(1+r.IntN(10_000)) * time.Millisecond)
			memorySet(t, m, key, cache.Entry{Expires: expires[key]})
		}
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			maps.DeleteFunc(expires, func(_ string, at time.Time) bool { return !at.After(time.Now()) })
			if n := m.Stats().Entries; n != len(expires) {
				t.Fatalf("%d entries are held, %d have not expired", n, len(expires))
			}
		}
	})
}

func TestMemoryReplacedEntryLeavesNoExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, cache.MemoryOptions{})
		memorySet(t, m, "replaced", cache.Entry{Expires: time.Now().Add(time.Second)})
		memorySet(t, m, "replaced", cache.Entry{Value: []byte("v")})
		memorySet(t, m, "deleted", cache.Entry{Expires: time.Now().Add(time.Second)})
		if err := m.Delete(context.Background(), "deleted"); err != nil {
			t.Fatal(err)
		}
		memorySet(t, m, "deleted", cache.Entry{Value: []byte("v")})
		time.Sleep(time.Hour)
		synctest.Wait()
		wantMemoryValue(t, m, "replaced", "v")
		wantMemoryValue(t, m, "deleted", "v")
	})
}

func TestMemoryCloseEndsTheSweeps(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory(t, cache.MemoryOptions{})
			for i := range 10 {
				memorySet(t, m, fmt.Sprint(i), cache.Entry{Expires: time.Now().Add(100 * time.Millisecond)})
			}
			time.Sleep(100 * time.Millisecond) // the sweep is about to start, or has
			m.Close()
			wantEmpty := m.Stats()
			time.Sleep(time.Hour)
			if m.Stats() != wantEmpty {
				t.Error("a sweep ran after Close")
			}
		})
	}
}

func TestMemoryCloseWaitsForNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, cache.MemoryOptions{})
		start := time.Now()
		for _, ttl := range []time.Duration{time.Hour, time.Minute, time.Second} {
			memorySet(t, m, ttl.String(), cache.Entry{Expires: start.Add(ttl)})
		}
		m.Close()
		if d := time.Since(start); d != 0 {
			t.Errorf("Close took %v", d)
		}
	})
}

func TestMemoryClosedIsGarbage(t *testing.T) {
	m, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	memorySet(t, m, "k", cache.Entry{Expires: time.Now().Add(time.Hour)})
	m.Close()
	left := weak.Make(m)
	m = nil
	runtime.GC()
	if left.Value() != nil {
		t.Error("the timer of a closed Memory keeps it")
	}
}
