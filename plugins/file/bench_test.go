package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

func BenchmarkSet(b *testing.B) {
	value := make([]byte, 128)
	for _, mode := range []syncMode{syncAlways, syncInterval, syncNever} {
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("sync=%s/callers=%d", mode, callers), func(b *testing.B) {
				s := &Store{}
				if err := configure(s, b.TempDir(), "sync", string(mode)); err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				parallel(b, callers, func(n int64) error {
					return s.Set(b.Context(), "key-"+strconv.FormatInt(n%100_000, 10), cache.Entry{Value: value})
				})
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	const entries = 100_000
	s := &Store{}
	if err := configure(s, b.TempDir(), "sync", "never"); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	value := make([]byte, 128)
	for i := range entries {
		if err := s.Set(b.Context(), "key-"+strconv.Itoa(i), cache.Entry{Value: value}); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct{ name, suffix string }{{"hit", ""}, {"miss", "!"}} {
		for _, callers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/callers=%d", c.name, callers), func(b *testing.B) {
				parallel(b, callers, func(n int64) error {
					_, _, err := s.Get(b.Context(), "key-"+strconv.FormatInt(n*7919%entries, 10)+c.suffix)
					return err
				})
			})
		}
	}
}

// parallel calls do b.N times from so many goroutines.
func parallel(b *testing.B, callers int, do func(n int64) error) {
	var next atomic.Int64
	errs := make(chan error, callers)
	b.ResetTimer()
	for range callers {
		go func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					errs <- nil
					return
				}
				if err := do(n); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
}

// As many keys as the cache of blocks has no room for, and batches as the lane
// makes them of many callers.
func BenchmarkGetMany(b *testing.B) {
	const entries = 1_000_000
	s := &Store{}
	if err := configure(s, b.TempDir(), "sync", "never"); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	value := make([]byte, 128)
	var items []cache.Item
	for i := range entries {
		items = append(items, cache.Item{Key: "key:" + strconv.Itoa(i), Entry: cache.Entry{Value: value}})
		if len(items) == 1000 {
			if err := s.SetMany(b.Context(), items); err != nil {
				b.Fatal(err)
			}
			items = items[:0]
		}
	}
	if err := s.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, entries-1)
	keys := make([]string, 1<<18)
	for i := range keys {
		keys[i] = "key:" + strconv.FormatUint(zipf.Uint64()*7919%entries, 10)
	}
	for _, size := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("keys=%d", size), func(b *testing.B) {
			for n := 0; b.Loop(); n++ {
				from := n * size % len(keys)
				if _, err := s.GetMany(b.Context(), keys[from:from+size]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/key")
		})
	}
}
