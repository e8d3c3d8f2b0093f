package cache

import (
	"fmt"
	"math"
	"strconv"
)

// Add returns the counter that value holds, plus delta, as text and as number.
// A counter is the decimal text of an int64, as in Redis. Stores that
// implement Counter use it, so that all agree on what a counter is; its errors
// wrap ErrNotCounter.
func Add(value []byte, delta int64) ([]byte, int64, error) {
	n, err := parseCounter(value)
	if err != nil {
		return nil, 0, err
	}
	if (delta > 0 && n > math.MaxInt64-delta) || (delta < 0 && n < math.MinInt64-delta) {
		return nil, 0, fmt.Errorf("%w: %d%+d does not fit 64 bits", ErrNotCounter, n, delta)
	}
	n += delta
	return strconv.AppendInt(nil, n, 10), n, nil
}

// parseCounter accepts only what strconv.AppendInt writes: no sign but a
// minus, no leading zeros, no space.
func parseCounter(value []byte) (int64, error) {
	const longest = len("-9223372036854775808")
	if len(value) <= longest {
		s := string(value)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: the value is not a decimal number of 64 bits", ErrNotCounter)
}
