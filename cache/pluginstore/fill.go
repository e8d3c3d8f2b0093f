package pluginstore

import (
	"context"

	"github.com/harpia-go/harpia/cache"
)

// What GetOrLoad needs to keep what it loaded while memory serves.

// Outage numbers the outage of the plugin during which memory serves now; 0:
// memory does not serve.
func (s *Store) Outage() uint64 {
	if b := s.route.Load().bridge; b != nil {
		return b.number
	}
	return 0
}

// Itself is the store, which a wrapper that embeds it is not.
func (s *Store) Itself() cache.Store { return s }

// Fill stores what was loaded after a miss during an outage, if nobody has set
// the key since. While the outage lasts memory can tell; after it, this is
// SetIfAbsent.
func (s *Store) Fill(ctx context.Context, outage uint64, key string, e cache.Entry) (bool, error) {
	if b := s.route.Load().bridge; b != nil && b.number == outage {
		if stored, ok, err := b.fill(ctx, key, e); ok || err != nil {
			return stored, err
		}
	}
	return s.SetIfAbsent(ctx, key, e)
}
