package main

import "time"

// Redis keeps a key during the millisecond of its expiry, and a store may not
// return an entry at its Expires: Redis is told the millisecond before it.

// toRedis is an expiry as Redis takes it. Redis refuses 0 and less; what is
// long past stays so.
func toRedis(t time.Time) int64 { return max(t.UnixMilli()-1, 1) }

// fromRedis is an expiry as Redis tells it, which says -1 for none.
func fromRedis(ms int64) time.Time {
	if ms < 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms + 1)
}
