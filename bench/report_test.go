package main

import (
	"strings"
	"testing"
	"time"
)

// Each figure has its ratio to the group's first subject with as many callers
// beside it, and a row is the median of its rounds.
func TestTable(t *testing.T) {
	g := group{name: "g", variant: "v", unit: "MB/s"}
	rows := []row{
		newRow(g, "first", 1, []sample{{opsPerS: 1}, {opsPerS: 100, p50: time.Millisecond, value: 10}, {opsPerS: 2e6, p50: time.Second, value: 20}}),
		newRow(g, "second", 1, []sample{{opsPerS: 50, p50: 4 * time.Millisecond, value: 25}}),
		newRow(g, "first", 8, []sample{{opsPerS: 1000}}),
		newRow(g, "second", 8, []sample{{opsPerS: 500}}),
		newRow(group{name: "h"}, "second", 8, []sample{{opsPerS: 7, allocs: 1.5}}),
	}
	var out strings.Builder
	if err := writeTable(&out, rows); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"| g v | callers | op/s | × | p50 µs | × | p99 µs | × | allocs | MB/s | × |",
		"| first | 1 | 100 | 1.00 | 1000 | 1.00 | | | 0 | 10.0 | 1.00 |",
		"| second | 1 | 50.0 | 0.50 | 4000 | 4.00 | | | 0 | 25.0 | 2.50 |",
		"| second | 8 | 500 | 0.50 |",
		"| h | callers |",
		"| second | 8 | 7 | 1.00 | | | | | 1.5 | | |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
}

func TestSignificantDigits(t *testing.T) {
	for x, want := range map[float64]float64{123456: 123500, 0.00012345: 0.0001235, 1: 1, 99996: 100000, 0: 0} {
		if got := significant(x, 4); got != want {
			t.Errorf("%v has the digits %v, want %v", x, got, want)
		}
	}
}
