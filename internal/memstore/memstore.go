// Package memstore is cache.Memory with settings: the store behind the URL
// "memory" and in the memory plugin.
package memstore

import (
	"context"
	"fmt"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/version"
	"github.com/harpia-go/harpia/shared"
)

// Store is a cache.Memory once it is configured.
type Store struct {
	*cache.Memory
}

var (
	_ shared.Describer  = (*Store)(nil)
	_ shared.Configurer = (*Store)(nil)
	_ shared.Quick      = (*Store)(nil)
)

// Describe implements shared.Describer.
func (*Store) Describe() shared.Description {
	return shared.Description{
		Name:      "memory",
		Version:   version.Number,
		Exclusive: true,
		Settings: []shared.Setting{
			{Name: "max_bytes", Type: shared.Size, Default: "64MiB", Help: "Bound on keys, values and their bookkeeping; the least used entries go first."},
			{Name: "max_entries", Type: shared.Int, Help: "Bound on the number of entries; none if it is not given."},
		},
	}
}

// Quick implements shared.Quick.
func (*Store) Quick() bool { return true }

// Configure implements shared.Configurer.
func (s *Store) Configure(_ context.Context, set shared.Settings) error {
	if set.Size("max_bytes") == 0 {
		return fmt.Errorf("%w: max_bytes must not be 0: nothing would fit", shared.ErrSetting)
	}
	m, err := cache.NewMemory(cache.MemoryOptions{
		MaxBytes:   set.Size("max_bytes"),
		MaxEntries: int(set.Int("max_entries")),
	})
	if err != nil {
		return fmt.Errorf("%w: %w", shared.ErrSetting, err)
	}
	s.Memory = m
	return nil
}

// Limits implements cache.Limiter, also before Configure.
func (s *Store) Limits() cache.Limits {
	if s.Memory == nil {
		return cache.Limits{MaxValue: cache.DefaultMaxValue}
	}
	return s.Memory.Limits()
}

// Close implements io.Closer, also before Configure.
func (s *Store) Close() error {
	if s.Memory == nil {
		return nil
	}
	return s.Memory.Close()
}
