//go:build unix

package main

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/redistest"
)

// The other host's copy is dropped soon after a write has returned. How soon is
// logged.
func TestDelayOfInvalidations(t *testing.T) {
	t.Parallel()
	const writes = 300
	s := redistest.Start(t, redistest.Options{})
	var hosts [2]*cache.Near
	for i := range hosts {
		hosts[i] = nearTo(t, start(t, "redis+unix://"+s.Socket(), nil).Store)
	}
	ctx := t.Context()
	reads := func() string {
		e, _, err := hosts[1].Get(ctx, "k")
		if err != nil {
			t.Fatal(err)
		}
		return string(e.Value)
	}
	var delays []time.Duration
	for n := range writes {
		value := strconv.Itoa(n)
		until(t, "the other host has a copy", func() bool { reads(); return n == 0 || hosts[1].Stats().Entries == 1 })
		if err := hosts[0].Set(ctx, "k", cache.Entry{Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
		for begin := time.Now(); ; {
			took := time.Since(begin) // what the read itself takes is not a part of it
			got := reads()
			if got == value {
				delays = append(delays, took)
				break
			}
			if took > within {
				t.Fatalf("%v after the write of %s the other host reads %q", took, value, got)
			}
			time.Sleep(10 * time.Microsecond) // the plugins are to have time
		}
	}
	slices.Sort(delays)
	t.Logf("of %d writes, the other host finds half %v and all but a hundredth %v after they have returned",
		writes, delays[writes/2], delays[writes*99/100])
}
