package main

import (
	"strconv"
	"time"
)

// Redis keeps a key during the millisecond of its expiry, and a store may not
// return an entry at its Expires: Redis is told the millisecond before it.

// What Redis says instead of an expiry.
const (
	noExpiry = -1
	noKey    = -2
)

// toRedis is an expiry as Redis takes it. Redis refuses 0 and less; what is
// long past stays so.
func toRedis(t time.Time) int64 { return max(t.UnixMilli()-1, 1) }

// fromRedis is an expiry as Redis tells it.
func fromRedis(ms int64) time.Time {
	if ms == noExpiry {
		return time.Time{}
	}
	return time.UnixMilli(ms + 1)
}

// scriptExpiry is an expiry as the scripts take it, which take the empty text
// for none.
func scriptExpiry(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(toRedis(t), 10)
}
