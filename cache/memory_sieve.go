package cache

// memorySieve says which entry of a shard goes when room is wanted.
//
// Entries arrive in one list, in the order in which they came, and are not
// judged while they are young, see memoryAge: nobody could have read a new key
// yet, and it must not be lost to older ones however busy these are. The oldest
// that is young no more settles if it was read meanwhile.
//
// The settled are in a second list, which is SIEVE: a hand moves from the
// oldest towards the newest and round again. An entry that was read since the
// hand last passed is marked, is spared and loses its mark. Reads only set the
// mark.
//
// Of the oldest arrival that nobody has read and the settled entry at the hand
// that goes whose key has come less often of late, see memorySketch; the
// settled one stays if they are even, but not for ever. So what is wanted again
// and again finds a place, though never read while it was young, and what comes
// but once does not drive out what was read.
type memorySieve struct {
	arrived, settled memoryList
	hand             *memoryEntry // the next of settled to be judged; nil: the oldest
	began            uint32       // entries that had been inserted when the hand was last at the oldest
	outlasted        int          // arrivals that went in place of the entry at the hand
	came             memorySketch
}

// memoryOutlasts is how many arrivals an entry that nobody reads may outlast.
const memoryOutlasts = 32

// memoryList is linked through newer and older.
type memoryList struct {
	newest, oldest *memoryEntry
}

func (l *memoryList) insert(e *memoryEntry) {
	e.older = l.newest
	if l.newest != nil {
		l.newest.newer = e
	} else {
		l.oldest = e
	}
	l.newest = e
}

// relink takes e out: its newer neighbour gets older as its older one, and the
// other way round.
func (l *memoryList) relink(e, older, newer *memoryEntry) {
	if e.newer != nil {
		e.newer.older = older
	} else {
		l.newest = older
	}
	if e.older != nil {
		e.older.newer = newer
	} else {
		l.oldest = newer
	}
	// A reader or a scan may hold e for long, and shall not hold its neighbours.
	e.newer, e.older = nil, nil
}

// list returns the one that e is in.
func (v *memorySieve) list(e *memoryEntry) *memoryList {
	if e.order == memorySettled {
		return &v.settled
	}
	return &v.arrived
}

// insert adds e as the newest arrival. Its order must be set. While there is
// room nobody is judged, and arrivals that are long no more young settle, two for each that
// comes, so that few are left to judge when there is none.
func (v *memorySieve) insert(e *memoryEntry, age memoryAge) {
	v.came.add(e.hash)
	v.arrived.insert(e)
	for range 2 {
		if oldest := v.arrived.oldest; oldest != nil && age.settled(oldest.order) {
			v.settle(oldest)
		}
	}
}

// replace puts e in the place of old. A write counts as a read.
func (v *memorySieve) replace(old, e *memoryEntry) {
	e.order = old.order
	e.visited.Store(true)
	e.newer, e.older = old.newer, old.older
	v.list(old).relink(old, e, e)
	if v.hand == old {
		v.hand = e
	}
}

func (v *memorySieve) remove(e *memoryEntry) {
	if v.hand == e {
		v.hand, v.outlasted = e.newer, 0
	}
	v.list(e).relink(e, e.older, e.newer)
}

// settle moves e from the arrivals.
func (v *memorySieve) settle(e *memoryEntry) {
	v.arrived.relink(e, e.older, e.newer)
	e.order = memorySettled
	v.settled.insert(e)
}

// victim judges up to steps entries, and returns the first that may go, or nil
// if there is none.
func (v *memorySieve) victim(steps int, age memoryAge, keep *memoryEntry) *memoryEntry {
	for range steps {
		arrival, settled := v.next(age, keep)
		switch {
		case arrival != nil && arrival.visited.Load():
			arrival.visited.Store(false)
			v.settle(arrival)
		case settled != nil && settled.visited.Load():
			settled.visited.Store(false)
			v.hand, v.outlasted = settled.newer, 0
		case arrival == nil:
			return settled
		case settled == nil:
			return arrival
		case v.came.count(arrival.hash) <= v.came.count(settled.hash) && v.outlasted < memoryOutlasts:
			v.outlasted++
			return arrival
		default:
			v.settle(arrival)
			return settled
		}
	}
	return nil
}

// next returns the oldest arrival, unless it is young, and the settled entry at
// the hand; neither is keep, and either may be nil.
func (v *memorySieve) next(age memoryAge, keep *memoryEntry) (arrival, settled *memoryEntry) {
	if arrival = v.arrived.oldest; arrival == keep && keep != nil {
		arrival = keep.newer
	}
	if arrival != nil && age.young(arrival.order) {
		arrival = nil
	}
	if settled = v.hand; settled == keep && keep != nil {
		settled = keep.newer
	}
	if settled == nil || age.overdue(v.began) {
		settled, v.began = v.settled.oldest, age.inserted
	}
	if settled == keep && keep != nil {
		settled = keep.newer
	}
	v.hand = settled
	return arrival, settled
}

// any returns one that is neither young nor keep, or nil if there is none.
func (v *memorySieve) any(age memoryAge, keep *memoryEntry) *memoryEntry {
	arrival, settled := v.next(age, keep)
	if settled != nil {
		return settled
	}
	return arrival
}

// memoryAge measures age by what was inserted since, in all shards.
type memoryAge struct {
	inserted uint32 // entries ever, modulo 2³²
	entries  uint32 // that there are
}

// memorySettled is the order of entries that have settled: their age no longer
// matters.
const memorySettled = 0

// young reports whether the arrival of that order shall not be judged yet: it is
// of the youngest fifth, and a little more. Less is too little to learn what a
// new key is worth when other keys become popular; more is room that the
// popular ones miss.
func (a memoryAge) young(order uint32) bool {
	return uint64(a.inserted-order) < uint64(a.entries)*13/64
}

// overdue reports whether the hand, which was at the oldest when so many entries
// had been inserted, shall go back there. As many may settle as it passes, so
// that it would never reach the newest, and what it has spared would stay.
func (a memoryAge) overdue(began uint32) bool {
	return uint64(a.inserted-began) > 16*uint64(a.entries)
}

// settled reports whether the arrival of that order is so old that it settles
// though nobody has judged it.
func (a memoryAge) settled(order uint32) bool {
	return uint64(a.inserted-order) > uint64(a.entries)*20/64
}
