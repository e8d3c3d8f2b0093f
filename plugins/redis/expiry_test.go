package main

import (
	"testing"
	"time"
)

// An expiry that Redis tells is the one that it was told, and Redis removes the
// key before it.
func TestExpiry(t *testing.T) {
	for _, ms := range []int64{2, 1_700_000_000_000, 253_402_300_799_999} {
		at := time.UnixMilli(ms)
		if got := fromRedis(toRedis(at)); !got.Equal(at) {
			t.Errorf("%v came back as %v", at, got)
		}
		// A key is there while the time is not past its expiry.
		if last := time.UnixMilli(toRedis(at)); !last.Before(at) {
			t.Errorf("the key of %v is there at %v", at, last)
		}
	}
	for _, at := range []time.Time{time.UnixMilli(1), time.UnixMilli(0), time.UnixMilli(-5), time.Unix(-1<<40, 0)} {
		if got := toRedis(at); got < 1 {
			t.Errorf("Redis is told %d for %v, and refuses it", got, at)
		}
	}
	if got := fromRedis(noExpiry); !got.IsZero() {
		t.Errorf("no expiry is %v", got)
	}
	if got := scriptExpiry(time.Time{}); got != "" {
		t.Errorf("no expiry is %q to a script", got)
	}
}
