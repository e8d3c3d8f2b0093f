package cache

// memorySieve says which entry of a shard goes when room is wanted. It is
// SIEVE: entries in the order in which they came, and a hand that moves from
// the oldest towards the newest. An entry that was read since the hand last
// passed is marked, is spared and loses its mark; the first without a mark
// goes. Reads only set the mark.
//
// Two things are added, see memoryAge. Plain SIEVE, with all older entries
// marked, takes the newest, which nobody could have read yet, and so lets no
// new key in. And while new keys come that are not read soon, its hand never
// reaches the newest of them: what it has passed stays, read or not, and the
// new keys have only the rest.
type memorySieve struct {
	newest, oldest *memoryEntry
	hand           *memoryEntry // the next to be judged; nil: the oldest
	began          uint32       // the order of the newest entry when the hand was last at the oldest
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
// marked, and returns it, or nil if there is none.
func (v *memorySieve) victim(steps int, age memoryAge, keep *memoryEntry) *memoryEntry {
	for range steps {
		e := v.next(age, keep)
		if e == nil || !e.visited.Load() {
			return e
		}
		e.visited.Store(false)
		v.hand = e.newer
	}
	return nil
}

// next moves the hand to the next entry that is neither young nor keep, and
// returns it, or nil if there is none.
func (v *memorySieve) next(age memoryAge, keep *memoryEntry) *memoryEntry {
	e := v.hand
	if e == keep {
		e = keep.newer
	}
	if e == nil || age.young(e.order) || age.overdue(v.began) {
		e, v.began = v.oldest, age.inserted
	}
	if e == keep {
		e = keep.newer
	}
	if e != nil && age.young(e.order) {
		e = nil
	}
	v.hand = e
	return e
}

// memoryAge measures age by what was inserted since, in all shards.
type memoryAge struct {
	inserted uint32 // entries ever, modulo 2³²
	entries  uint32 // that there are
}

// young reports whether the entry of that order shall not be judged yet: it is
// of the youngest quarter. Less is too little to learn what a new key is worth
// when other keys become popular; half is room that the popular ones miss.
func (a memoryAge) young(order uint32) bool { return a.inserted-order < a.entries/4 }

// overdue reports whether the hand shall go back to the oldest, where it was
// when the entry of that order came. Were it to go back much sooner, new keys
// would stay too long.
func (a memoryAge) overdue(order uint32) bool { return a.inserted-order > 4*a.entries }
