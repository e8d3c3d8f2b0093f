package main

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// memoryKeepGroups compare what becomes of new entries in a full and busy
// cache, and what an entry costs.
//
// memory-fresh: 20 000 new keys are set into a cache of 100 000 that is full
// of keys that were read, many of them often; which share can be read once all
// are set.
//
// memory-bytes: heap bytes an entry beyond its key and its value, at a million
// entries, a tenth of it with -quick.
func memoryKeepGroups() []group {
	return []group{
		{name: "memory-fresh", callers: []int{1}, unit: "of new keys",
			open: func(*site) ([]subject, error) { return freshness(), nil }},
		{name: "memory-bytes", callers: []int{1}, unit: "B/entry",
			open: func(s *site) ([]subject, error) {
				if s.quick {
					return overheads(100_000), nil
				}
				return overheads(1_000_000), nil
			}},
	}
}

func freshness() []subject {
	value := make([]byte, 128)
	hot, fresh := names("user:", memoryEntries), names("new:", memoryEntries/5)
	reads := zipf(hot, 1<<17)
	var subjects []subject
	for _, k := range inMemoryKinds() {
		if !k.bounded {
			continue
		}
		subjects = append(subjects, subject{k.name, func(context.Context, int, time.Duration) (sample, error) {
			c, err := k.make(memoryEntries)
			if err != nil {
				return sample{}, err
			}
			defer c.close()
			fillMemory(c, hot, value)
			for _, key := range hot {
				c.get(key)
			}
			for _, key := range reads {
				c.get(key)
			}
			for _, key := range fresh {
				c.set(key, value)
			}
			found := 0
			for _, key := range fresh {
				if c.get(key) {
					found++
				}
			}
			return sample{value: float64(found) / float64(len(fresh))}, nil
		}})
	}
	return subjects
}

func overheads(entries int) []subject {
	keys, value := names("user:", entries), []byte{1}
	var subjects []subject
	for _, k := range inMemoryKinds() {
		subjects = append(subjects, subject{k.name, func(context.Context, int, time.Duration) (sample, error) {
			before := heap()
			c, err := k.make(entries)
			if err != nil {
				return sample{}, err
			}
			defer c.close()
			fillMemory(c, keys, value)
			grown := heap() - before
			held := 0
			for _, key := range keys {
				if c.get(key) {
					held++
				}
			}
			if held < entries*9/10 {
				return sample{}, fmt.Errorf("it holds %d of %d entries", held, entries)
			}
			return sample{value: grown / float64(held)}, nil
		}})
	}
	return subjects
}

// heap is what is live, in bytes.
func heap() float64 {
	// What the first finds to be finalized, the second frees.
	runtime.GC()
	runtime.GC()
	var st runtime.MemStats
	runtime.ReadMemStats(&st)
	return float64(st.HeapAlloc)
}
