package cache_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

// BenchmarkNearGet is a read that finds a copy, beside one of a Memory.
func BenchmarkNearGet(b *testing.B) {
	ctx := context.Background()
	m, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	n, err := cache.NewNear(m, cache.NearOptions{MaxBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	for i := range benchEntries {
		if err := n.Set(ctx, "user:"+strconv.Itoa(i), cache.Entry{Value: make([]byte, 128)}); err != nil {
			b.Fatal(err)
		}
	}
	keys := zipfKeys(1 << 20)
	for _, s := range []struct {
		name  string
		store cache.Store
	}{{"memory", m}, {"near", n}} {
		b.Run(s.name, func(b *testing.B) {
			var goroutines atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := int(goroutines.Add(1)) * 7919; pb.Next(); i++ {
					if _, ok, err := s.store.Get(ctx, keys[i&(len(keys)-1)]); !ok || err != nil {
						b.Error(ok, err)
						return
					}
				}
			})
		})
	}
}
