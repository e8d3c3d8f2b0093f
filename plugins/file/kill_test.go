package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// acknowledged is what the children were told.
type acknowledged struct {
	last   [childWriters]int // the last write of each writer
	values map[string]string // "-": nothing
	read   map[string]int    // counters, acknowledged or not
}

func (a *acknowledged) take(t *testing.T, line string) {
	t.Helper()
	f := strings.Fields(line)
	if f[0] == "read" && len(f) == 3 {
		a.read[f[1]], _ = strconv.Atoi(f[2])
		return
	}
	n, err := strconv.Atoi(f[0])
	if err != nil || len(f) != 3 {
		t.Fatalf("the child says %q", line)
	}
	_, w, _ := strings.Cut("x"+f[1], "x")
	w, _, _ = strings.Cut(strings.TrimPrefix(w, "count-"), "-")
	writer, err := strconv.Atoi(w)
	if err != nil {
		t.Fatalf("the child says %q", line)
	}
	a.last[writer] = n
	a.values[f[1]] = f[2]
}

// check compares what the store holds: what was acknowledged, or the one write
// of each writer that was under way. It goes on from what it finds.
func (a *acknowledged) check(t *testing.T, s *Store, first int) {
	t.Helper()
	underWay := map[string]string{}
	for w, n := range a.last {
		key, value := childOp(w, max(n+1, first))
		if value == "+" {
			sum, _ := strconv.Atoi(a.values[key])
			value = strconv.Itoa(sum + 1)
		}
		underWay[key] = value
	}
	for key := range underWay {
		if _, ok := a.values[key]; !ok {
			a.values[key] = "-"
		}
	}
	for key, want := range a.values {
		e, ok, err := s.Get(context.Background(), key)
		if err != nil {
			t.Fatal(err)
		}
		got := "-"
		if ok {
			got = strings.TrimRight(string(e.Value), ".")
		}
		if other, ok := underWay[key]; got != want && (!ok || got != other) {
			t.Errorf("%s is %s after the kill; %s was acknowledged, and under way %q", key, got, want, other)
		}
		a.values[key] = got
	}
	for key, n := range a.read {
		if got, _ := strconv.Atoi(a.values[key]); got < n {
			t.Errorf("%s was read as %d before the kill, and is %s", key, n, a.values[key])
		}
	}
}

// The moment after it was acknowledged, a write outlives this process, in
// every mode.
func TestKill(t *testing.T) {
	const cycles = 9
	for name, settings := range map[string][]string{
		"always":   {"sync", "always"},
		"interval": {"sync", "interval", "sync_interval", "5ms"},
		"never":    {"sync", "never"},
		"bounded":  {"sync", "never", "max_bytes", "1GiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			a := &acknowledged{values: map[string]string{}, read: map[string]int{}}
			for cycle := range cycles {
				first := (cycle + 1) * 1_000_000
				child := startChild(t, "write", dir, settings, fmt.Sprintf("%s=%d", childFirst, first))
				lines := 20 + rand.IntN(2000)
				if cycle%3 == 2 {
					// Somewhere while it opens, or soon after.
					lines = 0
					time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
				}
				for range lines {
					if !child.lines.Scan() {
						t.Fatal("the child ended by itself")
					}
					a.take(t, child.lines.Text())
				}
				for _, line := range child.kill() {
					a.take(t, line)
				}
				s := open(t, dir, settings...)
				a.check(t, s, first)
				if s.bound != nil {
					recount(t, s)
				}
				mustClose(t, s)
			}
		})
	}
}
