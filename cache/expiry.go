package cache

import "time"

// lastExpiry is the end of the year 9999, in milliseconds since 1970: RFC 3339 and HTTP
// can write no later time.
const lastExpiry = 253402300799999

// ExpiryMillis returns an expiry as all that is written down has it, on the wire and on
// disk: in milliseconds since 1970, rounded down. 0 is never: the zero time, and what
// is after the year 9999. What is not after 1970 is -1, and past.
func ExpiryMillis(t time.Time) int64 {
	switch s := t.Unix(); { // UnixMilli overflows where this does not
	case t.IsZero() || s > lastExpiry/1000:
		return 0
	case s < 0 || t.UnixMilli() <= 0:
		return -1
	}
	return t.UnixMilli()
}

// ExpiryAt is the reverse of ExpiryMillis: the zero time for 0 and for what is after the
// year 9999.
func ExpiryAt(ms int64) time.Time {
	if ms == 0 || ms > lastExpiry {
		return time.Time{}
	}
	return time.UnixMilli(max(ms, -1))
}
