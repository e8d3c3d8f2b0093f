package cache

import (
	"context"
	"fmt"
	"time"
)

const (
	// MaxKey is the longest key, in bytes, prefix included.
	MaxKey = 32 << 10
	// DefaultMaxValue is the longest value, in bytes, of a store that does not
	// say otherwise.
	DefaultMaxValue = 64 << 20
)

// Entry is what a store holds under a key.
type Entry struct {
	// Value may be empty. Whoever hands a Value over, caller or store, never
	// changes it afterwards; whoever receives one never changes it at all.
	Value []byte
	// Expires is absolute, so that copying an entry never lengthens its life.
	// Its resolution is the millisecond. Zero: never.
	Expires time.Time
}

// Expired reports whether the entry must no longer be returned at now.
func (e Entry) Expired(now time.Time) bool {
	return !e.Expires.IsZero() && !now.Before(e.Expires)
}

// Store holds bytes under keys. These three methods are all that a store must
// have; what it can do beyond them it shows by implementing the interfaces in
// optional.go (Batcher, Adder, Swapper, Counter, Toucher, Scanner, Clearer,
// Watcher, Flusher, Limiter, io.Closer). Package storetest checks the whole
// contract.
//
// Obligations of every implementation:
//
//   - All methods are safe for concurrent use and honour ctx.
//   - Keys are arbitrary bytes, 1 to MaxKey of them. Others are refused with
//     ErrInvalidKey. Values may be empty. Values over the store's limit (see
//     Limiter) are refused with ErrTooLarge, and the key keeps what it had.
//   - A miss is a result, an outage is an error; they are never mixed.
//   - A completed write is seen by every read that starts after it.
//   - An entry is never returned at or past its Expires.
//   - Errors wrap the sentinels of this package where one fits.
type Store interface {
	// Get returns the entry under key and whether there is one.
	Get(ctx context.Context, key string) (Entry, bool, error)
	// Set replaces the entry under key. An entry that has already expired
	// removes the key: the value before it must not come back.
	Set(ctx context.Context, key string, e Entry) error
	// Delete removes key. A key that is not there is no error.
	Delete(ctx context.Context, key string) error
}

// CheckKey returns an error that wraps ErrInvalidKey unless key is one that
// every store accepts.
func CheckKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidKey)
	case len(key) > MaxKey:
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrInvalidKey, len(key), MaxKey)
	}
	return nil
}

// CheckEntry is CheckKey, and an error that wraps ErrTooLarge for a value of
// more than maxValue bytes.
func CheckEntry(key string, e Entry, maxValue int) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if len(e.Value) > maxValue {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(e.Value), maxValue)
	}
	return nil
}

// Deadline turns a time to live into an entry's Expires: absolute, and cut to
// the millisecond, so never later than asked. A ttl of zero means never.
func Deadline(now time.Time, ttl time.Duration) time.Time {
	if ttl == 0 {
		return time.Time{}
	}
	return now.Add(ttl).Truncate(time.Millisecond)
}
