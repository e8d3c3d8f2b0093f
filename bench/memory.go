package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
)

const memoryEntries = 100_000

// memoryGroups compare caches in this process that hold 100 000 entries of
// 128 bytes, read as often as Zipf has it, by as many callers as there are
// processors. In memory-mixed one operation of ten writes; with the variant
// "evicting" there is room for a tenth of the entries.
func memoryGroups() []group {
	callers := []int{runtime.GOMAXPROCS(0)}
	return []group{
		{name: "memory-get", callers: callers,
			open: func(s *site) ([]subject, error) { return openMemories(s, 2*memoryEntries, readBatch) }},
		{name: "memory-mixed", variant: "evicting", callers: callers,
			open: func(s *site) ([]subject, error) { return openMemories(s, memoryEntries/10, mixedBatch) }},
		{name: "memory-mixed", callers: callers,
			open: func(s *site) ([]subject, error) { return openMemories(s, 2*memoryEntries, mixedBatch) }},
	}
}

// memoryBatch operations are timed together: one takes less than looking at
// the clock does.
const memoryBatch = 100

// openMemories makes one cache of each kind. Those without bounds are left out
// where entries shall give way.
func openMemories(s *site, capacity int, batch func(c inMemory, trace []string, value []byte, at int) (missed int)) ([]subject, error) {
	keys, value := names("user:", memoryEntries), make([]byte, 128)
	trace := zipf(keys, 1<<20)
	var subjects []subject
	for _, k := range inMemoryKinds() {
		if capacity < memoryEntries && !k.bounded {
			continue
		}
		c, err := k.make(capacity)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.name, err)
		}
		s.atEnd(func() error { c.close(); return nil })
		fillMemory(c, keys, value)
		var turn atomic.Int64
		subjects = append(subjects, subject{k.name, load{batch: memoryBatch, op: func(caller, i int) error {
			if i == 0 {
				// Each round goes on elsewhere in the trace.
				turn.Add(1)
			}
			at := place(trace, caller*131+int(turn.Load())*17, i*memoryBatch)
			if missed := batch(c, trace, value, at); missed > memoryBatch/2 && capacity > memoryEntries {
				return fmt.Errorf("%d of %d reads miss, though there is room for all", missed, memoryBatch)
			}
			return nil
		}}.run})
	}
	return subjects, nil
}

// fillMemory sets all keys, at a pace that every cache can follow.
func fillMemory(c inMemory, keys []string, value []byte) {
	for i, key := range keys {
		c.set(key, value)
		if i%1000 == 999 {
			c.settle()
		}
	}
	c.settle()
}

func readBatch(c inMemory, trace []string, _ []byte, at int) (missed int) {
	for i := range memoryBatch {
		if !c.get(trace[(at+i)&(len(trace)-1)]) {
			missed++
		}
	}
	return missed
}

func mixedBatch(c inMemory, trace []string, value []byte, at int) (missed int) {
	for i := range memoryBatch {
		switch key := trace[(at+i)&(len(trace)-1)]; {
		case i%10 == 0:
			c.set(key, value)
		case !c.get(key):
			missed++
		}
	}
	return missed
}
