package main

import (
	"strconv"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// Redis keeps a key during the millisecond of its expiry, and a store may not
// return an entry at its Expires: Redis is told the millisecond before it.

// What Redis says instead of an expiry.
const (
	noExpiry = -1
	noKey    = -2
)

// toRedis is an expiry as Redis takes it, and reports false for never. Redis refuses 0
// and less; what is long past stays so.
func toRedis(t time.Time) (ms int64, ok bool) {
	ms = cache.ExpiryMillis(t)
	return max(ms-1, 1), ms != 0
}

// fromRedis is an expiry as Redis tells it.
func fromRedis(ms int64) time.Time {
	if ms == noExpiry {
		return time.Time{}
	}
	return cache.ExpiryAt(max(ms, ms+1)) // somebody's may be the largest number
}

// scriptExpiry is an expiry as the scripts take it, which take the empty text
// for none.
func scriptExpiry(t time.Time) string {
	ms, ok := toRedis(t)
	if !ok {
		return ""
	}
	return strconv.FormatInt(ms, 10)
}
