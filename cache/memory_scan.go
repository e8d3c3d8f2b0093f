package cache

import (
	"context"
	"iter"
	"strings"
)

// Scan yields the keys that begin with prefix, in any order. It holds no lock
// while it yields, and needs memory for one pointer per entry of a shard.
func (m *Memory) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for i := range m.shards {
			if err := m.check(ctx); err != nil {
				yield("", err)
				return
			}
			s := &m.shards[i]
			for _, e := range s.snapshot() {
				if !strings.HasPrefix(e.key, prefix) {
					continue
				}
				if err := m.check(ctx); err != nil {
					yield("", err)
					return
				}
				// Much may have happened since the snapshot.
				now := s.index.find(e.hash, e.key)
				if now != nil && !now.expired() && !yield(e.key, nil) {
					return
				}
			}
		}
	}
}

// snapshot returns all entries. It takes the lock because in a table that is
// being written one may meet the same key twice.
func (s *memoryShard) snapshot() []*memoryEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := make([]*memoryEntry, 0, s.index.live)
	s.index.each(func(e *memoryEntry) { entries = append(entries, e) })
	return entries
}

// Clear removes every key that begins with prefix, and no other.
func (m *Memory) Clear(ctx context.Context, prefix string) error {
	for i := range m.shards {
		if err := m.check(ctx); err != nil {
			return err
		}
		s := &m.shards[i]
		if prefix == "" {
			s.mu.Lock()
			s.reset()
			s.mu.Unlock()
			continue
		}
		for _, e := range s.snapshot() {
			if !strings.HasPrefix(e.key, prefix) {
				continue
			}
			if err := m.Delete(ctx, e.key); err != nil {
				return err
			}
		}
	}
	return nil
}
