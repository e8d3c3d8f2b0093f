package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func expiryMutants() []mutant {
	// keep makes Set store another expiry than the one that it is given.
	keep := func(b *broken, to func(time.Time) time.Time) {
		b.set = func(ctx context.Context, key string, e cache.Entry) error {
			if !e.Expires.IsZero() {
				e.Expires = to(e.Expires)
			}
			return b.reference.Set(ctx, key, e)
		}
	}
	return []mutant{{
		"entries never expire", []string{"expiry/returned", "expiry/never-after", "expiry/past-removes", "expiry/given-by-set", "expiry/set-after"},
		func(b *broken) { keep(b, func(time.Time) time.Time { return time.Time{} }) },
	}, {
		"expired entries are returned for a while", []string{
			"expiry/never-after", "expiry/given-by-set", "expiry/set-after", "count/expires", "touch/shortens",
		},
		func(b *broken) {
			b.get = func(ctx context.Context, key string) (cache.Entry, bool, error) {
				b.mu.Lock()
				defer b.mu.Unlock()
				e, ok := b.entries[key]
				return e, ok && !e.Expired(time.Now().Add(-time.Minute)), ctx.Err()
			}
		},
	}, {
		"expiry is rounded to the second, down", []string{"expiry/returned"},
		func(b *broken) { keep(b, func(at time.Time) time.Time { return at.Truncate(time.Second) }) },
	}, {
		"expiry is rounded to the second, up", []string{"expiry/returned", "expiry/never-after", "expiry/never-later-than-asked"},
		func(b *broken) {
			keep(b, func(at time.Time) time.Time { return at.Add(time.Second).Truncate(time.Second) })
		},
	}, {
		"expiry is rounded to the nearest millisecond", []string{"expiry/never-later-than-asked"},
		func(b *broken) { keep(b, func(at time.Time) time.Time { return at.Round(time.Millisecond) }) },
	}, {
		"a time to live is kept in whole seconds, so that a short one is none", []string{"expiry/found-before", "touch/extends"},
		func(b *broken) {
			keep(b, func(at time.Time) time.Time {
				return time.Now().Add(time.Until(at).Truncate(time.Second))
			})
		},
	}, {
		"expiry is not returned", []string{"expiry/returned"},
		func(b *broken) {
			b.get = func(ctx context.Context, key string) (cache.Entry, bool, error) {
				e, ok, err := b.reference.Get(ctx, key)
				return cache.Entry{Value: e.Value}, ok, err
			}
		},
	}, {
		"a read prolongs", []string{"expiry/returned"},
		func(b *broken) {
			b.get = func(ctx context.Context, key string) (cache.Entry, bool, error) {
				e, ok, err := b.reference.Get(ctx, key)
				if ok && !e.Expires.IsZero() {
					b.reference.Touch(ctx, key, e.Expires.Add(time.Minute))
				}
				return e, ok, err
			}
		},
	}, {
		"expiry is 64 bits of nanoseconds", []string{"expiry/far"},
		func(b *broken) { keep(b, func(at time.Time) time.Time { return time.Unix(0, at.UnixNano()) }) },
	}, {
		"expiry is 32 bits of seconds", []string{"expiry/far"},
		func(b *broken) {
			keep(b, func(at time.Time) time.Time { return time.Unix(int64(uint32(at.Unix())), 0) })
		},
	}, {
		"expiry is 64 bits of milliseconds, which overflow", []string{"expiry/beyond"},
		func(b *broken) { keep(b, func(at time.Time) time.Time { return time.UnixMilli(at.UnixMilli()) }) },
	}, {
		"a Set that has expired is not done", []string{"expiry/past-removes"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				if e.Expired(time.Now()) {
					return nil
				}
				return b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"a Set that has expired is an error", []string{"expiry/past-removes"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				if e.Expired(time.Now()) {
					return fmt.Errorf("expires %v ago", time.Since(e.Expires))
				}
				return b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"a Set keeps the expiry before it", []string{"expiry/dropped-by-set", "expiry/given-by-set"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				if old, ok, _ := b.reference.Get(ctx, key); ok {
					e.Expires = old.Expires
				}
				return b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"the timer of a replaced entry removes the next one", []string{"expiry/dropped-by-set", "touch/extends"},
		func(b *broken) {
			timers := make(map[string]time.Time)
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				if !e.Expires.IsZero() {
					timers[key] = e.Expires
				}
				return b.reference.Set(ctx, key, e)
			}
			b.get = func(ctx context.Context, key string) (cache.Entry, bool, error) {
				if at, ok := timers[key]; ok && !time.Now().Before(at) {
					return cache.Entry{}, false, nil
				}
				return b.reference.Get(ctx, key)
			}
		},
	}, {
		"an expired entry comes back when its key is deleted", []string{"expiry/set-after"},
		func(b *broken) {
			b.del = func(ctx context.Context, key string) error {
				b.mu.Lock()
				defer b.mu.Unlock()
				if e, ok := b.entries[key]; ok {
					b.entries[key] = cache.Entry{Value: e.Value}
				}
				return ctx.Err()
			}
		},
	}}
}
