package cache

// MemoryStats is what a Memory holds, and why entries left it without having
// been deleted, since it was made.
type MemoryStats struct {
	// Entries and Bytes count as the bounds do, and so with entries that have
	// expired and are not yet removed.
	Entries int
	Bytes   int64
	// Evictions are entries that had to make room, Expirations those that were
	// removed because they had expired.
	Evictions, Expirations uint64
}

// Stats returns the numbers as of now. While writes are under way they need
// not fit together.
func (m *Memory) Stats() MemoryStats {
	st := MemoryStats{
		Entries: int(m.usage.entries()),
		Bytes:   m.usage.bytes.Load(),
	}
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		st.Evictions += s.evictions
		st.Expirations += s.expirations
		s.mu.Unlock()
	}
	return st
}
