//go:build linux

package pluginstore_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

// BenchmarkPlugin is what a Get of 128 bytes costs through a plugin's process,
// mutual TLS included, with so many callers at once.
func BenchmarkPlugin(b *testing.B) {
	dir := plugins(b)
	s, err := pluginstore.Open(b.Context(), "plugin:memory", &pluginstore.Options{
		Dirs: []string{dir}, Insecure: []string{filepath.Join(dir, "harpia-store-memory")}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Set(b.Context(), "k", cache.Entry{Value: make([]byte, 128)}); err != nil {
		b.Fatal(err)
	}
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			b.ReportAllocs()
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if _, ok, err := s.Get(b.Context(), "k"); !ok || err != nil {
							b.Error(ok, err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
