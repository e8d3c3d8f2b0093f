package cache

// memorySieve says which entry of a shard goes when room is wanted. It is
// SIEVE: entries in the order in which they came, and a hand that moves from
// the oldest towards the newest. An entry that was read since the hand last
// passed is marked, is spared and loses its mark; the first without a mark
// goes. Reads only set the mark.
//
// One thing is added. Plain SIEVE, with all older entries marked, would take
// the newest, which nobody could have read yet, and let no new key in. So
// entries are young at first, and the hand turns back to the oldest where the
// young begin.
type memorySieve struct {
	newest, oldest *memoryEntry
	hand           *memoryEntry // the next to be judged; nil: the oldest
}

// insert adds e as the newest. Its order must be set.
func (v *memorySieve) insert(e *memoryEntry) {
	e.older = v.newest
	if v.newest != nil {
		v.newest.newer = e
	} else {
		v.oldest = e
	}
	v.newest = e
}

// replace puts e in the place of old. A write counts as a read.
func (v *memorySieve) replace(old, e *memoryEntry) {
	e.order = old.order
	e.visited.Store(true)
	e.newer, e.older = old.newer, old.older
	v.relink(old, e, e)
	if v.hand == old {
		v.hand = e
	}
}

func (v *memorySieve) remove(e *memoryEntry) {
	if v.hand == e {
		v.hand = e.newer
	}
	v.relink(e, e.older, e.newer)
}

// relink takes e out: its newer neighbour gets older as its older one, and the
// other way round.
func (v *memorySieve) relink(e, older, newer *memoryEntry) {
	if e.newer != nil {
		e.newer.older = older
	} else {
		v.newest = older
	}
	if e.older != nil {
		e.older.newer = newer
	} else {
		v.oldest = newer
	}
	// A reader or a scan may hold e for long, and shall not hold its neighbours.
	e.newer, e.older = nil, nil
}

// victim moves the hand past up to steps entries to the first that is not
// marked, and returns it. It returns nil if it finds none before the young
// begin; the hand is then back at the oldest.
func (v *memorySieve) victim(steps int, young memoryYoung, keep *memoryEntry) *memoryEntry {
	for range steps {
		e := v.next(young, keep)
		if e == nil || !e.visited.Load() {
			return e
		}
		e.visited.Store(false)
		if v.hand = e.newer; v.hand == nil || young.has(v.hand) {
			v.hand = nil
			return nil
		}
	}
	return nil
}

// next moves the hand to the next entry that is neither young nor keep, and
// returns it, or nil if there is none.
func (v *memorySieve) next(young memoryYoung, keep *memoryEntry) *memoryEntry {
	e := v.hand
	if e == keep {
		e = keep.newer
	}
	if e == nil || young.has(e) {
		e = v.oldest
	}
	if e == keep {
		e = keep.newer
	}
	if e != nil && young.has(e) {
		e = nil
	}
	v.hand = e
	return e
}

// memoryYoung tells which entries are young: those that came last, as many as
// it says.
type memoryYoung struct {
	inserted uint32 // see memoryEntry.order
	last     uint32
}

func (y memoryYoung) has(e *memoryEntry) bool { return y.inserted-e.order < y.last }
