package cache_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func TestMemoryExpiresToTheMillisecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, cache.MemoryOptions{})
		// Half a millisecond more than 50, which is cut off.
		expires := time.Now().Add(50*time.Millisecond + 500*time.Microsecond)
		memorySet(t, m, "k", cache.Entry{Value: []byte("v"), Expires: expires})
		time.Sleep(50*time.Millisecond - time.Nanosecond)
		e, ok, err := m.Get(context.Background(), "k")
		if err != nil || !ok {
			t.Fatalf("a nanosecond before its expiry: %v, %v", ok, err)
		}
		if want := expires.Truncate(time.Millisecond); !e.Expires.Equal(want) {
			t.Errorf("Expires is %v, want %v", e.Expires, want)
		}
		time.Sleep(time.Nanosecond)
		if memoryHas(t, m, "k") {
			t.Error("found at its expiry")
		}
	})
}

func TestMemoryExpiredEntryRemovesTheKey(t *testing.T) {
	past := []time.Time{
		time.Now(),
		time.Unix(0, 0),
		time.Unix(-1, 0),
		time.Unix(math.MinInt64/2, 0),
		time.Time{}.Add(time.Nanosecond),
	}
	for _, expires := range past {
		m := newMemory(t, cache.MemoryOptions{})
		memorySet(t, m, "k", cache.Entry{Value: []byte("before")})
		memorySet(t, m, "k", cache.Entry{Value: []byte("expired"), Expires: expires})
		if memoryHas(t, m, "k") {
			t.Errorf("found after a Set that expired at %v", expires)
		}
	}
}

func TestMemoryFarExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, expires := range []time.Time{
			time.Now().Add(math.MaxInt64),
			time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
			time.Unix(math.MaxInt64/2, 0),
		} {
			m := newMemory(t, cache.MemoryOptions{})
			memorySet(t, m, "k", cache.Entry{Value: []byte("v"), Expires: expires})
			time.Sleep(1000 * time.Hour)
			wantMemoryValue(t, m, "k", "v")
		}
	})
}

// What has expired is not there, whatever is asked.
func TestMemoryExpiredIsAbsent(t *testing.T) {
	ctx := context.Background()
	for name, check := range map[string]func(t *testing.T, m *cache.Memory){
		"SetIfAbsent": func(t *testing.T, m *cache.Memory) {
			if ok, err := m.SetIfAbsent(ctx, "k", cache.Entry{Value: []byte("new")}); !ok || err != nil {
				t.Errorf("%v, %v; want it stored", ok, err)
			}
			wantMemoryValue(t, m, "k", "new")
		},
		"CompareAndSwap": func(t *testing.T, m *cache.Memory) {
			if ok, err := m.CompareAndSwap(ctx, "k", []byte("7"), cache.Entry{Value: []byte("new")}); ok || err != nil {
				t.Errorf("%v, %v; want no match", ok, err)
			}
		},
		"CompareAndDelete": func(t *testing.T, m *cache.Memory) {
			if ok, err := m.CompareAndDelete(ctx, "k", []byte("7")); ok || err != nil {
				t.Errorf("%v, %v; want no match", ok, err)
			}
		},
		"Increment": func(t *testing.T, m *cache.Memory) {
			expires := time.Now().Add(1500 * time.Microsecond)
			n, got, err := m.Increment(ctx, "k", 3, expires)
			if want := expires.Truncate(time.Millisecond); n != 3 || !got.Equal(want) || err != nil {
				t.Errorf("%d, %v, %v; want 3, %v", n, got, err, want)
			}
		},
		"Touch": func(t *testing.T, m *cache.Memory) {
			if ok, err := m.Touch(ctx, "k", time.Time{}); ok || err != nil {
				t.Errorf("%v, %v; want nothing to touch", ok, err)
			}
			if memoryHas(t, m, "k") {
				t.Error("Touch brought it back")
			}
		},
		"GetMany": func(t *testing.T, m *cache.Memory) {
			if found, err := m.GetMany(ctx, []string{"k"}); err != nil || found[0].Found {
				t.Errorf("%v, %v", found, err)
			}
		},
		"Scan": func(t *testing.T, m *cache.Memory) {
			if keys := memoryKeys(t, m, ""); len(keys) != 0 {
				t.Errorf("yields %q", keys)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(t, cache.MemoryOptions{})
				memorySet(t, m, "k", cache.Entry{Value: []byte("7"), Expires: time.Now().Add(time.Millisecond)})
				time.Sleep(time.Millisecond) // no sweep yet
				check(t, m)
			})
		})
	}
}

func TestMemoryCounterKeepsItsExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, cache.MemoryOptions{})
		expires := time.Now().Add(time.Minute)
		for want := range int64(3) {
			n, got, err := m.Increment(context.Background(), "n", 1, time.Now().Add(time.Minute))
			if n != want+1 || !got.Equal(expires) || err != nil {
				t.Errorf("Increment = %d, %v, %v; want %d, %v", n, got, err, want+1, expires)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Until(expires))
		if memoryHas(t, m, "n") {
			t.Error("found at its expiry")
		}
	})
}

func TestMemoryTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, cache.MemoryOptions{})
		touch := func(expires time.Time) {
			t.Helper()
			if ok, err := m.Touch(context.Background(), "k", expires); !ok || err != nil {
				t.Errorf("Touch = %v, %v", ok, err)
			}
		}
		memorySet(t, m, "k", cache.Entry{Value: []byte("v"), Expires: time.Now().Add(time.Second)})
		touch(time.Now().Add(time.Hour))
		time.Sleep(time.Hour - time.Millisecond)
		wantMemoryValue(t, m, "k", "v")
		touch(time.Time{})
		time.Sleep(1000 * time.Hour)
		wantMemoryValue(t, m, "k", "v")
		touch(time.Now())
		if memoryHas(t, m, "k") {
			t.Error("found after Touch with a time that has come")
		}
	})
}
