package cache

import "slices"

// memoryExpiry orders a shard's entries by their expiry; those that never
// expire it does not hold. It is a heap of four children a node, which lie in
// one cache line, and an entry knows its place, so that one that is removed or
// evicted leaves no trace.
type memoryExpiry struct {
	heap []memoryExpiring
}

type memoryExpiring struct {
	expires int64 // the entry's, here to be compared without a look at it
	entry   *memoryEntry
}

// next returns the entry that expires first, or nil.
func (x *memoryExpiry) next() *memoryEntry {
	if len(x.heap) == 0 {
		return nil
	}
	return x.heap[0].entry
}

func (x *memoryExpiry) insert(e *memoryEntry) {
	if e.expires == 0 {
		return
	}
	x.heap = append(x.heap, memoryExpiring{})
	x.up(len(x.heap)-1, memoryExpiring{expires: e.expires, entry: e})
}

func (x *memoryExpiry) remove(e *memoryEntry) {
	if e.expiry == 0 {
		return
	}
	i, last := int(e.expiry-1), len(x.heap)-1
	moved := x.heap[last]
	x.heap[last] = memoryExpiring{}
	x.heap = x.heap[:last]
	if i < last {
		x.down(i, moved)
	}
	if cap(x.heap) > 64 && len(x.heap) < cap(x.heap)/4 {
		x.heap = slices.Clone(x.heap)
	}
}

// up moves the hole at i towards the root to where item belongs.
func (x *memoryExpiry) up(i int, item memoryExpiring) {
	for i > 0 {
		parent := (i - 1) / 4
		if x.heap[parent].expires <= item.expires {
			break
		}
		x.put(i, x.heap[parent])
		i = parent
	}
	x.put(i, item)
}

// down moves the hole at i away from the root to where item belongs, or
// towards it if item belongs there.
func (x *memoryExpiry) down(i int, item memoryExpiring) {
	for {
		first := 4*i + 1
		if first >= len(x.heap) {
			break
		}
		least := first
		for child := first + 1; child < min(first+4, len(x.heap)); child++ {
			if x.heap[child].expires < x.heap[least].expires {
				least = child
			}
		}
		if item.expires <= x.heap[least].expires {
			break
		}
		x.put(i, x.heap[least])
		i = least
	}
	x.up(i, item)
}

func (x *memoryExpiry) put(i int, item memoryExpiring) {
	x.heap[i] = item
	item.entry.expiry = uint32(i + 1)
}
