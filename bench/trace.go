package main

import (
	"math/rand/v2"
	"strconv"
)

// names returns n keys.
func names(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = prefix + strconv.Itoa(i)
	}
	return out
}

// zipf draws n of the keys; most of them are few (Zipf 1.1).
func zipf(keys []string, n int) []string {
	z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(len(keys)-1))
	out := make([]string, n)
	for i := range out {
		out[i] = keys[z.Uint64()]
	}
	return out
}

// uniform draws n of the keys, each as often as the others.
func uniform(keys []string, n int) []string {
	r := rand.New(rand.NewPCG(3, 4))
	out := make([]string, n)
	for i := range out {
		out[i] = keys[r.IntN(len(keys))]
	}
	return out
}

// place is where a caller is in a trace whose length is a power of two, each
// caller at its own place.
func place(trace []string, caller, i int) int { return (caller*7919 + i) & (len(trace) - 1) }

// isSet says which operations of a mixed load write: one in ten, and not the
// same callers' at once.
func isSet(caller, i int) bool { return (caller*3+i)%10 == 0 }
