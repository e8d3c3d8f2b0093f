package main

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

// locks make what reads and then writes a key atomic. A key's lock is held
// until the write is applied and visible, not while it is made durable.
type locks struct {
	seed    maphash.Seed
	stripes []stripe

	// Called with the locks held, first of all.
	acquired    func(key string)
	acquiredAll func()
}

type stripe struct {
	mu sync.Mutex
	// changes is odd while mu is held to write, and never the same again.
	changes atomic.Uint64
}

func (s *stripe) lock() {
	s.mu.Lock()
	s.changes.Add(1)
}

func (s *stripe) unlock() {
	s.changes.Add(1)
	s.mu.Unlock()
}

func newLocks(n int) *locks {
	return &locks{seed: maphash.MakeSeed(), stripes: make([]stripe, n), acquired: func(string) {}, acquiredAll: func() {}}
}

func (l *locks) bucket(key string) int {
	return int(maphash.String(l.seed, key) % buckets)
}

// stripe is the stripe of a bucket.
func (l *locks) stripe(bucket int) int { return bucket % len(l.stripes) }

// acquire locks keys, always in the same order, and returns what release takes,
// and the buckets of the keys.
func (l *locks) acquire(keys []string) (held, in []int) {
	held, in = make([]int, len(keys)), make([]int, len(keys))
	for i, key := range keys {
		in[i] = l.bucket(key)
		held[i] = l.stripe(in[i])
	}
	if len(held) > 1 {
		slices.Sort(held)
		held = slices.Compact(held)
	}
	for _, i := range held {
		l.stripes[i].lock()
	}
	for _, key := range keys {
		l.acquired(key)
	}
	return held, in
}

func (l *locks) release(held []int) {
	for _, i := range held {
		l.stripes[i].unlock()
	}
}

// acquireAll locks every key there is, and returns all buckets.
func (l *locks) acquireAll() (in []int) {
	for i := range l.stripes {
		l.stripes[i].lock()
	}
	l.acquiredAll()
	in = make([]int, buckets)
	for b := range in {
		in[b] = b
	}
	return in
}

func (l *locks) releaseAll() {
	for i := range l.stripes {
		l.stripes[i].unlock()
	}
}

// glimpse is what a key's lock was like.
type glimpse struct {
	of      *stripe
	changes uint64
}

// look takes a glimpse of the lock of key.
func (l *locks) look(key string) glimpse {
	s := &l.stripes[l.stripe(l.bucket(key))]
	return glimpse{s, s.changes.Load()}
}

// unless calls fn, during which nobody has the lock, unless somebody has it now
// or had it since.
func (l *locks) unless(since glimpse, fn func()) {
	s := since.of
	if since.changes%2 == 1 || !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if s.changes.Load() == since.changes {
		fn()
	}
}
