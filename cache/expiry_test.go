package cache_test

import (
	"math"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func TestExpiryMillis(t *testing.T) {
	last := time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	for _, c := range []struct {
		t  time.Time
		ms int64
	}{
		{time.Time{}, 0},
		{time.Time{}.Add(1), -1},
		{time.Unix(math.MinInt64, 0), -1},
		{time.Unix(-1, 999_999_999), -1},
		{time.Unix(0, 0), -1},
		{time.Unix(1, 0), 1000},
		{time.Unix(1, 1_999_999), 1001},
		{time.Unix(1<<31, 0), 1 << 31 * 1000},
		{last, 253402300799999},
		{last.Add(1), 0},
		{time.Unix(math.MaxInt64/1000, 0), 0},
		{time.Unix(1<<62, 0), 0},
		{time.Unix(math.MaxInt64, 0), 0},
	} {
		if ms := cache.ExpiryMillis(c.t); ms != c.ms {
			t.Errorf("%v is %d ms, want %d", c.t, ms, c.ms)
		}
		back := cache.ExpiryAt(c.ms)
		if back.IsZero() != (c.ms == 0) || cache.ExpiryMillis(back) != c.ms {
			t.Errorf("%d ms is %v", c.ms, back)
		}
	}
	for _, ms := range []int64{math.MaxInt64, 1 << 50, 253402300800000} {
		if at := cache.ExpiryAt(ms); !at.IsZero() {
			t.Errorf("%d ms is %v, want never", ms, at)
		}
	}
	if at := cache.ExpiryAt(math.MinInt64); !at.Before(time.Unix(0, 0)) || at.Year() != 1969 {
		t.Errorf("the earliest is %v", at)
	}
}
