package main

import (
	"math"
	"testing"
	"time"
)

// An expiry that Redis tells is the one that it was told, and Redis removes the
// key before it.
func TestExpiry(t *testing.T) {
	for _, ms := range []int64{2, 1_700_000_000_000, 253_402_300_799_999} {
		at := time.UnixMilli(ms)
		told, ok := toRedis(at)
		if got := fromRedis(told); !ok || !got.Equal(at) {
			t.Errorf("%v came back as %v", at, got)
		}
		// A key is there while the time is not past its expiry.
		if last := time.UnixMilli(told); !last.Before(at) {
			t.Errorf("the key of %v is there at %v", at, last)
		}
	}
	for _, at := range []time.Time{time.UnixMilli(1), time.UnixMilli(0), time.UnixMilli(-5), time.Unix(-1<<40, 0)} {
		if got, ok := toRedis(at); !ok || got < 1 {
			t.Errorf("Redis is told %d for %v, and refuses it", got, at)
		}
	}
	for _, ms := range []int64{noExpiry, 999_999_999_999_999, math.MaxInt64} { // somebody may have set the others
		if got := fromRedis(ms); !got.IsZero() {
			t.Errorf("%d is %v, want never", ms, got)
		}
	}
	for _, at := range []time.Time{{}, time.Unix(1<<62, 0), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if ms, ok := toRedis(at); ok {
			t.Errorf("Redis is told %d for %v, want never", ms, at)
		}
	}
	if got := scriptExpiry(time.Time{}); got != "" {
		t.Errorf("no expiry is %q to a script", got)
	}
}
