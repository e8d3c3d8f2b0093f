package main

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

const memoryEntries = 100_000

// memoryGroups compare caches in this process that hold 100 000 entries of
// 128 bytes and have room for all, read as often as Zipf has it, by as many
// callers as there are processors. In memory-mixed one operation of ten
// writes.
func memoryGroups() []group {
	callers := []int{runtime.GOMAXPROCS(0)}
	return []group{
		{name: "memory-get", callers: callers, open: func(*site) ([]subject, error) { return inMemoryLoads(readBatch), nil }},
		{name: "memory-mixed", callers: callers, open: func(*site) ([]subject, error) { return inMemoryLoads(mixedBatch), nil }},
	}
}

// memoryBatch operations are timed together: one takes less than looking at
// the clock does.
const memoryBatch = 100

// inMemoryLoads has one cache at a time in memory, so that the garbage
// collector goes through nobody else's entries.
func inMemoryLoads(batch func(c inMemory, trace []string, value []byte, at int) (missed int)) []subject {
	keys, value := names("user:", memoryEntries), make([]byte, 128)
	trace := zipf(keys, 1<<18)
	var subjects []subject
	for _, k := range inMemoryKinds() {
		subjects = append(subjects, subject{k.name, func(ctx context.Context, callers int, d time.Duration) (sample, error) {
			c, err := k.make(2 * memoryEntries)
			if err != nil {
				return sample{}, err
			}
			defer c.close()
			fillMemory(c, keys, value)
			runtime.GC()
			return load{batch: memoryBatch, op: func(caller, i int) error {
				missed := batch(c, trace, value, place(trace, caller, i*memoryBatch))
				if missed > memoryBatch/2 {
					return fmt.Errorf("%d of %d operations miss, though there is room for all keys", missed, memoryBatch)
				}
				return nil
			}}.run(ctx, callers, d)
		}})
	}
	return subjects
}

// fillMemory sets all keys, at a pace that every cache can follow.
func fillMemory(c inMemory, keys []string, value []byte) {
	for i, key := range keys {
		c.set(key, value)
		if i%10_000 == 9_999 {
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
