package main

import (
	"hash/maphash"
	"slices"
	"sync"
)

// locks make what reads and then writes a key atomic. A key's lock is held
// until the write is applied and visible, not while it is made durable.
type locks struct {
	seed    maphash.Seed
	stripes []sync.Mutex
}

func newLocks(n int) *locks {
	return &locks{seed: maphash.MakeSeed(), stripes: make([]sync.Mutex, n)}
}

// acquire locks keys, always in the same order, and returns what release takes.
func (l *locks) acquire(keys []string) []int {
	held := make([]int, len(keys))
	for i, key := range keys {
		held[i] = int(maphash.String(l.seed, key) % uint64(len(l.stripes)))
	}
	if len(held) > 1 {
		slices.Sort(held)
		held = slices.Compact(held)
	}
	for _, i := range held {
		l.stripes[i].Lock()
	}
	return held
}

func (l *locks) release(held []int) {
	for _, i := range held {
		l.stripes[i].Unlock()
	}
}

// acquireAll locks every key there is.
func (l *locks) acquireAll() {
	for i := range l.stripes {
		l.stripes[i].Lock()
	}
}

func (l *locks) releaseAll() {
	for i := range l.stripes {
		l.stripes[i].Unlock()
	}
}
