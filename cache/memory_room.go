package cache

import (
	"sync/atomic"
	"time"
)

// memoryUsage is what all shards together hold and may hold: the bounds are
// those of the store, so that one value may be as large as the store.
type memoryUsage struct {
	maxBytes, maxEntries int64 // maxEntries 0: no bound

	bytes             atomic.Int64
	inserted, removed atomic.Int64 // entries, ever
}

// insert counts an entry and returns its order.
func (u *memoryUsage) insert(bytes int64) uint32 {
	u.bytes.Add(bytes)
	if order := uint32(u.inserted.Add(1)); order != memorySettled {
		return order
	}
	return memorySettled + 1
}

func (u *memoryUsage) grow(bytes int64) {
	if bytes != 0 {
		u.bytes.Add(bytes)
	}
}

func (u *memoryUsage) remove(bytes int64, entries int) {
	u.bytes.Add(-bytes)
	u.removed.Add(int64(entries))
}

func (u *memoryUsage) entries() int64 { return u.inserted.Load() - u.removed.Load() }

func (u *memoryUsage) over() bool {
	return u.bytes.Load() > u.maxBytes || u.maxEntries > 0 && u.entries() > u.maxEntries
}

func (u *memoryUsage) age() memoryAge {
	return memoryAge{inserted: uint32(u.inserted.Load()), entries: uint32(max(u.entries(), 0))}
}

// makeRoom removes entries until the bounds hold or only keep is left, with
// one shard locked at a time. Every write that adds to the usage calls it
// afterwards, so whatever they do at once, the last to look leaves the bounds
// held.
func (m *Memory) makeRoom(own *memoryShard, keep *memoryEntry) {
	m.reap()
	for m.usage.over() && m.evictOne(own, keep) {
	}
}

const (
	// A shard with fewer entries knows too little to judge them on its own.
	memoryFewEntries = 32
	// So many entries in a row that were all read are enough: no write waits
	// for a walk over all of them.
	memoryManySteps = 256
)

// evictOne removes the entry that is the least likely to be missed, but not
// keep, and reports whether it did or the room is no longer wanted.
func (m *Memory) evictOne(own *memoryShard, keep *memoryEntry) bool {
	age := m.usage.age()
	judge := func(steps int) func(*memorySieve) *memoryEntry {
		return func(v *memorySieve) *memoryEntry { return v.victim(steps, age, keep) }
	}
	// The shard that grew gives way, if it has about its share: by a rule that
	// never asks another shard, one that began small would stay small.
	share := int(m.usage.entries()) / len(m.shards)
	if share >= memoryFewEntries && m.evict(own, share*7/8, judge(memoryManySteps)) {
		return true
	}
	// Else the hands of all shards move in turn, as one would over them all: a
	// step at a time, and, with the rounds, more of them where there are more
	// entries.
	for range memoryManySteps + 2*len(m.shards) {
		s, round := m.nextShard()
		if m.evict(s, 1+round%(2*share+1), judge(1)) {
			return true
		}
	}
	// Else any that is not young, and else any.
	for _, age := range []memoryAge{age, {}} {
		for range m.shards {
			s, _ := m.nextShard()
			if m.evict(s, 1, func(v *memorySieve) *memoryEntry { return v.any(age, keep) }) {
				return true
			}
		}
	}
	return false
}

// nextShard takes turns, in rounds over all shards.
func (m *Memory) nextShard() (s *memoryShard, round int) {
	turn := int(m.turn.Add(1))
	return &m.shards[turn&(len(m.shards)-1)], turn / len(m.shards)
}

// evict removes the entry of s that choose returns, if there is one and s has
// at least so many. It reports whether it did or the room is no longer wanted.
func (m *Memory) evict(s *memoryShard, atLeast int, choose func(*memorySieve) *memoryEntry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !m.usage.over() {
		return true
	}
	s.sieve.came.fit(s.index.live)
	return s.index.live >= atLeast && s.evict(choose(&s.sieve))
}

// reap removes expired entries until the bounds hold.
func (m *Memory) reap() {
	at := m.sweeper.at.Load()
	if at == 0 {
		return
	}
	// Nothing expires earlier than one tick before the sweep, and nothing more
	// can have expired when all was reaped in this very millisecond.
	now := time.Now().UnixMilli()
	if now <= at-memorySweepTick || m.reaped.Load() == now {
		return
	}
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for m.usage.over() && s.expireNext(now) {
		}
		s.mu.Unlock()
		if !m.usage.over() {
			return
		}
	}
	m.reaped.Store(now)
}
