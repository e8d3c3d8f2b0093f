package cache

import (
	"math/bits"
	"sync/atomic"
)

// memoryIndex finds entries by key. It is an open-addressed hash table in
// groups of seven. find needs no lock, because writers, who hold the shard's,
// never move an entry within a table: one that is outgrown is left as it is,
// and a new one takes its place.
//
// So a reader may hold a table that was replaced meanwhile. What it finds there
// was so when the table was replaced, which was after the read began. It may
// also see half of a write, a tag without its entry or the reverse; then that
// write is still going on, and the key is as good as absent.
type memoryIndex struct {
	table atomic.Pointer[memoryTable]

	_    [56]byte // readers need the line above
	live int      // entries
	free int      // places of the table that may yet be taken before it is rebuilt
}

type memoryTable struct {
	groups []memoryGroup // a power of two of them
}

// memoryGroup is one cache line. Each of the low seven bytes of tags tells of
// one place: never used, removed, or, with its top bit set, seven bits of the
// hash of the entry there.
type memoryGroup struct {
	tags    atomic.Uint64
	entries [7]atomic.Pointer[memoryEntry]
}

const (
	memoryTagLow  = 0x00_01_01_01_01_01_01_01
	memoryTagHigh = 0x00_80_80_80_80_80_80_80

	memoryTagRemoved = 0x01

	// Of the seven places in a group, on average six are used at most, so that
	// a search meets an unused one soon, and after a rebuild at most five, so
	// that the next is not near.
	memoryGroupUsed    = 6
	memoryGroupRebuilt = 5
)

// find returns the entry under key, expired or not, or nil.
func (x *memoryIndex) find(hash uint32, key string) *memoryEntry {
	groups := x.table.Load().groups
	tag := memoryTag(hash) * memoryTagLow
	for at := hash >> 7; ; at++ {
		group := &groups[int(at)&(len(groups)-1)]
		tags := group.tags.Load()
		for match := memoryTagZeros(tags ^ tag); match != 0; match &= match - 1 {
			e := group.entries[bits.TrailingZeros64(match)/8].Load()
			if e != nil && e.key == key {
				return e
			}
		}
		if memoryTagZeros(tags) != 0 {
			return nil
		}
	}
}

// insert adds an entry whose key the index does not have.
func (x *memoryIndex) insert(e *memoryEntry) {
	if x.free == 0 {
		x.rebuild(x.live + 1)
	}
	if x.table.Load().insert(e) {
		x.free--
	}
	x.live++
}

// replace puts e in the place of old, which has the same key: no reader
// misses both.
func (x *memoryIndex) replace(old, e *memoryEntry) {
	group, i := x.table.Load().place(old)
	group.entries[i].Store(e)
}

func (x *memoryIndex) remove(e *memoryEntry) {
	table := x.table.Load()
	group, i := table.place(e)
	tags := group.tags.Load() &^ (0xff << (8 * i))
	if memoryTagZeros(group.tags.Load()) == 0 {
		// The group was full once, and searches for other keys passed it.
		tags |= memoryTagRemoved << (8 * i)
	} else {
		x.free++
	}
	group.tags.Store(tags)
	group.entries[i].Store(nil)
	x.live--
	if len(table.groups) > 1 && x.live < len(table.groups)*memoryGroupRebuilt/8 {
		x.rebuild(x.live)
	}
}

func (x *memoryIndex) reset() {
	x.live, x.free = 0, memoryGroupUsed
	x.table.Store(&memoryTable{groups: make([]memoryGroup, 1)})
}

// rebuild replaces the table by one with room for live entries and more, and
// without the traces of those that were removed.
func (x *memoryIndex) rebuild(live int) {
	size := 1
	for size*memoryGroupRebuilt < live {
		size *= 2
	}
	table := &memoryTable{groups: make([]memoryGroup, size)}
	old := x.table.Load().groups
	for g := range old {
		for i := range old[g].entries {
			if e := old[g].entries[i].Load(); e != nil {
				table.insert(e)
			}
		}
	}
	x.free = size*memoryGroupUsed - x.live
	x.table.Store(table)
}

// each calls yield with every entry, expired ones included.
func (x *memoryIndex) each(yield func(*memoryEntry)) {
	groups := x.table.Load().groups
	for g := range groups {
		for i := range groups[g].entries {
			if e := groups[g].entries[i].Load(); e != nil {
				yield(e)
			}
		}
	}
}

// insert adds e and reports whether it took a place that was never used.
func (t *memoryTable) insert(e *memoryEntry) bool {
	for at := e.hash >> 7; ; at++ {
		group := &t.groups[int(at)&(len(t.groups)-1)]
		tags := group.tags.Load()
		unused := ^tags & memoryTagHigh
		if unused == 0 {
			continue
		}
		shift := bits.TrailingZeros64(unused) - 7
		group.entries[shift/8].Store(e)
		group.tags.Store(tags&^(0xff<<shift) | memoryTag(e.hash)<<shift)
		return tags>>shift&0xff == 0
	}
}

// place returns where e is; it must be somewhere.
func (t *memoryTable) place(e *memoryEntry) (*memoryGroup, int) {
	for at := e.hash >> 7; ; at++ {
		group := &t.groups[int(at)&(len(t.groups)-1)]
		for i := range group.entries {
			if group.entries[i].Load() == e {
				return group, i
			}
		}
	}
}

func memoryTag(hash uint32) uint64 { return uint64(hash&0x7f | 0x80) }

// memoryTagZeros marks, with the top bit of each, the bytes of tags that are
// zero. Above one that is, it may mark one that is not; find compares keys
// anyway, and whether there is any is exact.
func memoryTagZeros(tags uint64) uint64 {
	return (tags - memoryTagLow) &^ tags & memoryTagHigh
}
