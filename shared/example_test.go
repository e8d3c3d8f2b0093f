package shared_test

import (
	"context"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// store is a store with a setting. Its three methods are those of the Memory
// that it opens.
type store struct{ *cache.Memory }

func (*store) Describe() shared.Description {
	return shared.Description{
		Name:      "example",
		Exclusive: true,
		Settings:  []shared.Setting{{Name: "most", Type: shared.Size, Default: "1MiB", Help: "Bound on what is kept."}},
	}
}

func (s *store) Configure(_ context.Context, set shared.Settings) (err error) {
	s.Memory, err = cache.NewMemory(cache.MemoryOptions{MaxBytes: set.Size("most")})
	return err
}

// Limits is asked before Configure too.
func (*store) Limits() cache.Limits { return cache.Limits{MaxValue: 1 << 20} }

// The whole main of a plugin.
func ExampleServe() {
	shared.Serve(&store{})
}
