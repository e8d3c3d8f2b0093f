package main

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// memoryRatioGroups compare how many reads hit when a cache holds a part of
// the keys and what is missing is set. The variants name the trace and the
// capacity, in percent of 100 000 keys.
func memoryRatioGroups() []group {
	var all []group
	for _, t := range []struct {
		name  string
		trace func(keys []string, n int) []string
	}{{"zipf", zipf}, {"scan", scanMix}} {
		for _, percent := range []int{1, 5, 10} {
			all = append(all, group{name: "memory-hitratio", variant: fmt.Sprintf("%s %d%%", t.name, percent),
				callers: []int{1}, unit: "of reads",
				open: func(s *site) ([]subject, error) {
					n := 1_000_000
					if s.quick {
						n = 150_000
					}
					return hitRatios(t.trace(names("user:", memoryEntries), n), memoryEntries*percent/100), nil
				}})
		}
	}
	return all
}

// scanMix is two reads as Zipf has it, then one of a loop over other keys,
// which are twice as many as the largest of the caches holds.
func scanMix(keys []string, n int) []string {
	out, loop := zipf(keys, n), names("scan:", len(keys)/5)
	for i := 2; i < n; i += 3 {
		out[i] = loop[i/3%len(loop)]
	}
	return out
}

// hitRatios has each cache begin empty in each round. The first fifth of the
// trace fills it and is not counted.
func hitRatios(trace []string, capacity int) []subject {
	value := make([]byte, 128)
	var subjects []subject
	for _, k := range inMemoryKinds() {
		if !k.bounded {
			continue
		}
		subjects = append(subjects, subject{k.name, func(context.Context, int, time.Duration) (sample, error) {
			c, err := k.make(capacity)
			if err != nil {
				return sample{}, err
			}
			defer c.close()
			warm := trace[:len(trace)/5]
			readThrough(c, warm, value)
			start := time.Now()
			hits := readThrough(c, trace[len(warm):], value)
			n := float64(len(trace) - len(warm))
			return sample{opsPerS: n / time.Since(start).Seconds(), value: float64(hits) / n}, nil
		}})
	}
	return subjects
}

func readThrough(c inMemory, trace []string, value []byte) (hits int) {
	for i, key := range trace {
		if c.get(key) {
			hits++
		} else {
			c.set(key, value)
		}
		// Those that order their entries in the background get to do it.
		if i%64 == 0 {
			runtime.Gosched()
		}
	}
	return hits
}
