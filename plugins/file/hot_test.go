package main

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// While some write, nobody reads what is older than what was acknowledged
// before the read began: one by one, in batches, swapped or counted; nor what was
// removed since.
func TestHotEntriesAreNeverOld(t *testing.T) {
	for _, maxBytes := range []string{"0", "64KiB"} {
		t.Run("max_bytes="+maxBytes, func(t *testing.T) {
			s := &Store{}
			if err := configure(s, t.TempDir(), "sync", "never", "max_bytes", maxBytes); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			const keys = 4
			var acked [keys]atomic.Int64
			names := make([]string, keys)
			for k := range names {
				names[k] = fmt.Sprint("k", k)
			}
			var stop atomic.Bool
			var work sync.WaitGroup
			write := func(key string, n int64) error {
				e := cache.Entry{Value: []byte(strconv.FormatInt(n, 10))}
				switch n % 4 {
				case 0:
					return s.Set(t.Context(), key, e)
				case 1:
					return s.SetMany(t.Context(), []cache.Item{{Key: key, Entry: e}})
				case 2:
					_, err := s.CompareAndSwap(t.Context(), key, []byte(strconv.FormatInt(n-1, 10)), e)
					return err
				}
				_, _, err := s.Increment(t.Context(), key, 1, time.Time{})
				return err
			}
			writeOrRemove := func(key string, n int64) error {
				e := cache.Entry{Value: []byte(strconv.FormatInt(n, 10))}
				switch n % 6 {
				case 1:
					return s.Delete(t.Context(), key)
				case 3:
					return s.Clear(t.Context(), key)
				case 4:
					_, err := s.SetIfAbsent(t.Context(), key, e)
					return err
				case 5:
					return s.DeleteMany(t.Context(), []string{key})
				}
				return s.Set(t.Context(), key, e)
			}
			removed := func(k int) bool { return k%2 == 1 }
			for k := range keys {
				work.Go(func() {
					do := write
					if removed(k) {
						do = writeOrRemove
					}
					for n := int64(1); !stop.Load(); n++ {
						if err := do(names[k], n); err != nil {
							t.Error(err)
							return
						}
						acked[k].Store(n)
					}
				})
			}
			check := func(k int, before int64, e cache.Entry, found bool) {
				n := int64(0)
				if found {
					n, _ = strconv.ParseInt(string(e.Value), 10, 64)
				}
				if n < before && (found || !removed(k)) {
					t.Errorf("%s: read %d after %d was acknowledged", names[k], n, before)
					stop.Store(true)
				}
			}
			for reader := range 3 {
				work.Go(func() {
					for i := reader; !stop.Load(); i++ {
						if i%2 == 0 {
							k := i / 2 % keys
							before := acked[k].Load()
							e, found, err := s.Get(t.Context(), names[k])
							if err != nil {
								t.Error(err)
								return
							}
							check(k, before, e, found)
							continue
						}
						var before [keys]int64
						for k := range before {
							before[k] = acked[k].Load()
						}
						found, err := s.GetMany(t.Context(), names)
						if err != nil {
							t.Error(err)
							return
						}
						for k, f := range found {
							check(k, before[k], f.Entry, f.Found)
						}
					}
				})
			}
			for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end) && !stop.Load(); {
				time.Sleep(time.Millisecond)
			}
			stop.Store(true)
			work.Wait()
		})
	}
}

// What is removed, cleared, evicted or expired is gone from memory too.
func TestHotEntriesGo(t *testing.T) {
	s := &Store{}
	if err := configure(s, t.TempDir(), "sync", "never", "max_bytes", "2000"); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	set := func(key string, e cache.Entry) {
		t.Helper()
		if err := s.Set(t.Context(), key, e); err != nil {
			t.Fatal(err)
		}
		if _, found, err := s.Get(t.Context(), key); !found || err != nil {
			t.Fatalf("%s: %v, %v", key, found, err)
		}
		if _, found := s.hot.get(key); !found {
			t.Fatalf("%s was read and is not hot", key)
		}
	}
	gone := func(key, how string) {
		t.Helper()
		if _, found, err := s.Get(t.Context(), key); found || err != nil {
			t.Errorf("%s: found %v, %v", how, found, err)
		}
	}
	value := cache.Entry{Value: make([]byte, 400)}
	set("a", value)
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	gone("a", "deleted")
	set("pre:a", value)
	if err := s.Clear(t.Context(), "pre:"); err != nil {
		t.Error(err)
	}
	gone("pre:a", "cleared by prefix")
	set("b", value)
	if err := s.Clear(t.Context(), ""); err != nil {
		t.Error(err)
	}
	gone("b", "cleared")
	set("old", value)
	for i := range 5 {
		set(fmt.Sprint("new", i), value)
	}
	gone("old", "evicted")
	set("brief", cache.Entry{Value: []byte("v"), Expires: time.Now().Add(30 * time.Millisecond).Truncate(time.Millisecond)})
	time.Sleep(40 * time.Millisecond)
	gone("brief", "expired")
}

// A clock that is set back brings nothing back that was evicted since it had
// expired.
func TestHotEntriesStayGoneWhenTheClockIsSetBack(t *testing.T) {
	for _, maxBytes := range []string{"0", "2000"} {
		t.Run("max_bytes="+maxBytes, func(t *testing.T) {
			s, clock := withClock(t, t.TempDir(), "sync", "never", "max_bytes", maxBytes)
			brief := cache.Entry{Value: make([]byte, 400), Expires: clock.Now().Add(time.Hour)}
			if err := s.Set(t.Context(), "brief", brief); err != nil {
				t.Fatal(err)
			}
			if _, found, err := s.Get(t.Context(), "brief"); !found || err != nil {
				t.Fatal(found, err)
			}
			clock.Advance(2 * time.Hour)
			if s.bound == nil {
				clock.sweepNow()
			}
			for i := range 4 {
				if err := s.Set(t.Context(), fmt.Sprint("new", i), cache.Entry{Value: make([]byte, 400)}); err != nil {
					t.Fatal(err)
				}
			}
			clock.Advance(-2 * time.Hour)
			if _, found, err := s.Get(t.Context(), "brief"); found || err != nil {
				t.Errorf("found %v, %v", found, err)
			}
		})
	}
}
