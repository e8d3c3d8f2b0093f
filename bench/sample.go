package main

import (
	"math/bits"
	"slices"
	"time"
)

// sample is what one round of one subject gave.
type sample struct {
	opsPerS float64
	p50     time.Duration
	p99     time.Duration
	allocs  float64 // an operation, in the process of the callers
	value   float64 // in the group's unit
}

func newSample(h *histogram, batch int, elapsed time.Duration, allocated uint64) sample {
	ops := float64(h.count()) * float64(batch)
	return sample{
		opsPerS: ops / elapsed.Seconds(),
		p50:     h.quantile(0.50),
		p99:     h.quantile(0.99),
		allocs:  float64(allocated) / max(ops, 1),
	}
}

// median is the middle of the values, or the mean of the two in the middle.
func median(samples []sample, field func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = field(s)
	}
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// histogram counts durations in buckets that are a thirty-second of their
// power of two wide: a quantile is off by less than 2 %.
type histogram struct {
	buckets [histogramOctaves << histogramBits]uint32
}

const (
	histogramBits    = 5
	histogramOctaves = 36 // up to half a minute
)

func (h *histogram) add(d time.Duration) {
	ns := uint64(max(d, 0))
	octave := max(bits.Len64(ns)-histogramBits-1, 0)
	i := octave<<histogramBits + int(ns>>octave)
	h.buckets[min(i, len(h.buckets)-1)]++
}

// bounds of bucket i, in nanoseconds: from low up to but without high.
func (*histogram) bounds(i int) (low, high uint64) {
	const width = 1 << histogramBits
	if i < 2*width {
		return uint64(i), uint64(i) + 1
	}
	octave := i>>histogramBits - 1
	first := uint64(i - octave<<histogramBits)
	return first << octave, (first + 1) << octave
}

func (h *histogram) count() uint64 {
	var n uint64
	for _, c := range h.buckets {
		n += uint64(c)
	}
	return n
}

// quantile is the middle of the bucket in which that share of the durations is
// reached.
func (h *histogram) quantile(q float64) time.Duration {
	need := uint64(q*float64(h.count())) + 1
	var n uint64
	for i, c := range h.buckets {
		if n += uint64(c); n >= need {
			low, high := h.bounds(i)
			return time.Duration((low + high) / 2)
		}
	}
	return 0
}

func merge(all []histogram) *histogram {
	sum := &histogram{}
	for i := range all {
		for b, c := range all[i].buckets {
			sum.buckets[b] += c
		}
	}
	return sum
}
