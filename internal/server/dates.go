package server

import (
	"net/http"
	"time"
)

// preciseTime is how an expiry is shown where a header has only seconds.
const preciseTime = "2006-01-02T15:04:05.000Z07:00"

// writable reports whether an expiry can be written as a date: it is one, and
// its year has the four digits of the formats. Another is shown as none.
func writable(expires time.Time) bool {
	year := expires.UTC().Year()
	return !expires.IsZero() && year >= 0 && year <= 9999
}

// setExpires shows when a value expires.
func setExpires(header http.Header, expires time.Time) {
	if !writable(expires) {
		return
	}
	expires = expires.UTC()
	header.Set("Expires", expires.Format(http.TimeFormat))
	header.Set("Harpia-Expires", expires.Format(preciseTime))
}

// shownExpiry is an expiry as a member of JSON; nil is null.
func shownExpiry(expires time.Time) *string {
	if !writable(expires) {
		return nil
	}
	text := expires.UTC().Format(preciseTime)
	return &text
}
