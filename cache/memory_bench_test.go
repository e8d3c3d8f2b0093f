package cache_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

const benchEntries = 100_000

// zipfKeys returns n keys of a universe of benchEntries, most of them few
// (Zipf 1.1).
func zipfKeys(n int) []string {
	names := make([]string, benchEntries)
	for i := range names {
		names[i] = "user:" + strconv.Itoa(i)
	}
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, benchEntries-1)
	keys := make([]string, n)
	for i := range keys {
		keys[i] = names[zipf.Uint64()]
	}
	return keys
}

// benchMemory runs op on a Memory of capacity entries, from GOMAXPROCS
// goroutines that each go through the trace from a place of their own.
func benchMemory(b *testing.B, capacity int, op func(m *cache.Memory, key string, i int)) {
	m, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: 1 << 30, MaxEntries: capacity})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	keys := zipfKeys(1 << 20)
	value := make([]byte, 128)
	for i := range benchEntries {
		if err := m.Set(context.Background(), "user:"+strconv.Itoa(i), cache.Entry{Value: value}); err != nil {
			b.Fatal(err)
		}
	}
	var goroutines atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := int(goroutines.Add(1)) * 7919; pb.Next(); i++ {
			op(m, keys[i&(len(keys)-1)], i)
		}
	})
}

func BenchmarkMemory(b *testing.B) {
	ctx := context.Background()
	e := cache.Entry{Value: make([]byte, 128)}
	get := func(m *cache.Memory, key string, _ int) { m.Get(ctx, key) }
	set := func(m *cache.Memory, key string, _ int) { m.Set(ctx, key, e) }
	mixed := func(m *cache.Memory, key string, i int) {
		if i%10 == 0 {
			set(m, key, i)
		} else {
			get(m, key, i)
		}
	}
	// As a cache is used: what is not there is set.
	through := func(m *cache.Memory, key string, _ int) {
		if _, ok, _ := m.Get(ctx, key); !ok {
			m.Set(ctx, key, e)
		}
	}
	const tenth = benchEntries / 10
	b.Run("get", func(b *testing.B) { benchMemory(b, 2*benchEntries, get) })
	b.Run("mixed90-10", func(b *testing.B) { benchMemory(b, 2*benchEntries, mixed) })
	b.Run("set", func(b *testing.B) { benchMemory(b, 2*benchEntries, set) })
	b.Run("set/evicting", func(b *testing.B) { benchMemory(b, tenth, set) })
	b.Run("mixed90-10/evicting", func(b *testing.B) { benchMemory(b, tenth, mixed) })
	b.Run("read-through/evicting", func(b *testing.B) { benchMemory(b, tenth, through) })
}

// BenchmarkMemoryOverhead tells what a million entries cost in bytes of heap,
// each, beyond their keys and values.
func BenchmarkMemoryOverhead(b *testing.B) {
	const entries = 1_000_000
	keys := make([]string, entries)
	for i := range keys {
		keys[i] = "user:" + strconv.Itoa(i)
	}
	heap := func() float64 {
		runtime.GC()
		var st runtime.MemStats
		runtime.ReadMemStats(&st)
		return float64(st.HeapAlloc)
	}
	for name, expires := range map[string]time.Time{"forever": {}, "expiring": time.Now().Add(time.Hour)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				m, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: 1 << 40})
				if err != nil {
					b.Fatal(err)
				}
				for _, key := range keys {
					if err := m.Set(context.Background(), key, cache.Entry{Expires: expires}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric((heap()-before)/entries, "B/entry")
				m.Close()
			}
		})
	}
}
