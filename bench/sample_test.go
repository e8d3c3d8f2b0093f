package main

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestQuantiles(t *testing.T) {
	for _, unit := range []time.Duration{1, time.Microsecond, time.Millisecond} {
		var h histogram
		for n := range 1000 {
			h.add(time.Duration(n+1) * unit)
		}
		for q, want := range map[float64]time.Duration{0.5: 500 * unit, 0.99: 990 * unit} {
			got := h.quantile(q)
			if off := math.Abs(float64(got-want)) / float64(want); off > 0.02 {
				t.Errorf("of 1 to 1000 times %v the quantile %v is %v, %.1f %% off", unit, q, got, 100*off)
			}
		}
	}
}

func TestMergedHistograms(t *testing.T) {
	parts := make([]histogram, 2)
	parts[0].add(time.Microsecond)
	parts[1].add(time.Second)
	parts[1].add(time.Hour) // past the last bucket, which takes it
	if got := merge(parts).count(); got != 3 {
		t.Errorf("the merged histogram counts %d of 3", got)
	}
}

func TestMedian(t *testing.T) {
	of := func(values ...float64) float64 {
		var samples []sample
		for _, v := range values {
			samples = append(samples, sample{value: v})
		}
		return median(samples, func(s sample) float64 { return s.value })
	}
	if got := of(9, 1, 5); got != 5 {
		t.Errorf("the median of 9, 1 and 5 is %v", got)
	}
	if got := of(4, 1, 2, 9); got != 3 {
		t.Errorf("the median of 4, 1, 2 and 9 is %v", got)
	}
}

// Three callers whose batches of ten operations take a millisecond do 30 000
// operations a second, each in a tenth of a millisecond.
func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 3
		calls := make([]int, callers)
		got, err := load{batch: 10, bytes: 1000, op: func(caller, i int) error {
			if i != calls[caller] {
				t.Errorf("caller %d's call %d is numbered %d", caller, calls[caller], i)
			}
			calls[caller]++
			time.Sleep(time.Millisecond)
			return nil
		}}.run(t.Context(), callers, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for what, of := range map[string][2]float64{
			"op/s":          {got.opsPerS, 30_000},
			"MB/s":          {got.value, 30},
			"p50 in ms":     {got.p50.Seconds() * 1e3, 0.1},
			"p99 in ms":     {got.p99.Seconds() * 1e3, 0.1},
			"of one caller": {float64(calls[0]), 1000},
		} {
			if off := math.Abs(of[0]/of[1] - 1); off > 0.02 {
				t.Errorf("%s: %v, want %v", what, of[0], of[1])
			}
		}
	})
}

func TestLoadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := errMissing("k")
		_, err := load{op: func(caller, i int) error {
			time.Sleep(time.Millisecond)
			if caller == 1 && i == 3 {
				return lost
			}
			return nil
		}}.run(t.Context(), 2, time.Second)
		if err != lost {
			t.Errorf("%v, want %v", err, lost)
		}
	})
}
