package storetest

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func countMutants() []mutant {
	// parse makes Increment read a value in another way.
	parse := func(b *broken, number func(string) (int64, error)) {
		b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
			if e, found, _ := b.reference.Get(ctx, key); found {
				n, err := number(string(e.Value))
				if err != nil {
					return 0, time.Time{}, cache.ErrNotCounter
				}
				b.reference.Set(ctx, key, cache.Entry{Value: strconv.AppendInt(nil, n, 10), Expires: e.Expires})
			}
			return b.reference.Increment(ctx, key, delta, expiresIfNew)
		}
	}
	return []mutant{{
		"Increment returns the number before", []string{"count/new", "count/adds"},
		func(b *broken) {
			b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
				n, expires, err := b.reference.Increment(ctx, key, delta, expiresIfNew)
				return n - delta, expires, err
			}
		},
	}, {
		"Increment renews the expiry", []string{"count/keeps-expiry"},
		func(b *broken) {
			b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
				n, _, err := b.reference.Increment(ctx, key, delta, expiresIfNew)
				b.reference.Touch(ctx, key, expiresIfNew)
				return n, expiresIfNew, err
			}
		},
	}, {
		"Increment returns the expiry that it was given", []string{"count/keeps-expiry"},
		func(b *broken) {
			b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
				n, _, err := b.reference.Increment(ctx, key, delta, expiresIfNew)
				return n, expiresIfNew, err
			}
		},
	}, {
		"Increment ignores expiresIfNew", []string{"count/new", "count/with-past-expiry"},
		func(b *broken) {
			b.increment = func(ctx context.Context, key string, delta int64, _ time.Time) (int64, time.Time, error) {
				return b.reference.Increment(ctx, key, delta, time.Time{})
			}
		},
	}, {
		"Increment counts on from an expired counter", []string{"count/expires"},
		func(b *broken) {
			b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
				if b.expired(key) {
					b.mu.Lock()
					e := b.entries[key]
					b.entries[key] = cache.Entry{Value: e.Value, Expires: expiresIfNew}
					b.mu.Unlock()
				}
				return b.reference.Increment(ctx, key, delta, expiresIfNew)
			}
		},
	}, {
		"counters are apart from values", []string{"count/new", "count/adds", "count/not-a-counter", "count/overflow"},
		func(b *broken) {
			b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
				return b.reference.Increment(ctx, "counter:"+key, delta, expiresIfNew)
			}
		},
	}, {
		"Increment takes what is no number for 0", []string{"count/not-a-counter"},
		func(b *broken) {
			parse(b, func(s string) (int64, error) { n, _ := strconv.ParseInt(s, 10, 64); return n, nil })
		},
	}, {
		"Increment takes an empty value for 0", []string{"count/not-a-counter"},
		func(b *broken) {
			parse(b, func(s string) (int64, error) {
				return strconv.ParseInt(s+strings.Repeat("0", 1-min(1, len(s))), 10, 64)
			})
		},
	}, {
		"Increment takes +1 and 01", []string{"count/not-a-counter"},
		func(b *broken) { parse(b, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }) },
	}, {
		"Increment takes a number with space around", []string{"count/not-a-counter"},
		func(b *broken) {
			parse(b, func(s string) (int64, error) { return strconv.ParseInt(strings.TrimSpace(s), 10, 64) })
		},
	}, {
		"Increment of what is no number has an error of its own", []string{"count/not-a-counter", "count/overflow"},
		func(b *broken) {
			b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
				n, expires, err := b.reference.Increment(ctx, key, delta, expiresIfNew)
				if err != nil {
					err = errors.New("not an integer")
				}
				return n, expires, err
			}
		},
	}, {
		"Increment wraps around", []string{"count/overflow"},
		func(b *broken) {
			b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
				n, expires, err := b.reference.Increment(ctx, key, delta, expiresIfNew)
				if err == nil {
					return n, expires, nil
				}
				e, _, _ := b.reference.Get(ctx, key)
				n, _ = strconv.ParseInt(string(e.Value), 10, 64)
				return n + delta, e.Expires, nil
			}
		},
	}, {
		"Increment stops at the largest number", []string{"count/overflow"},
		func(b *broken) {
			b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
				n, expires, err := b.reference.Increment(ctx, key, delta, expiresIfNew)
				if err != nil {
					b.reference.Set(ctx, key, cache.Entry{Value: strconv.AppendInt(nil, math.MaxInt64, 10)})
				}
				return n, expires, err
			}
		},
	}}
}
