package storetest

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// everyContext makes every method use another context than it is given.
func everyContext(b *broken, to func(context.Context) context.Context) {
	r := b.reference
	b.get = func(ctx context.Context, key string) (cache.Entry, bool, error) { return r.Get(to(ctx), key) }
	b.set = func(ctx context.Context, key string, e cache.Entry) error { return r.Set(to(ctx), key, e) }
	b.del = func(ctx context.Context, key string) error { return r.Delete(to(ctx), key) }
	b.getMany = func(ctx context.Context, keys []string) ([]cache.Lookup, error) { return r.GetMany(to(ctx), keys) }
	b.setMany = func(ctx context.Context, items []cache.Item) error { return r.SetMany(to(ctx), items) }
	b.delMany = func(ctx context.Context, keys []string) error { return r.DeleteMany(to(ctx), keys) }
	b.add = func(ctx context.Context, key string, e cache.Entry) (bool, error) {
		return r.SetIfAbsent(to(ctx), key, e)
	}
	b.swap = func(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
		return r.CompareAndSwap(to(ctx), key, old, e)
	}
	b.swapDel = func(ctx context.Context, key string, old []byte) (bool, error) {
		return r.CompareAndDelete(to(ctx), key, old)
	}
	b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
		return r.Increment(to(ctx), key, delta, expiresIfNew)
	}
	b.touch = func(ctx context.Context, key string, expires time.Time) (bool, error) {
		return r.Touch(to(ctx), key, expires)
	}
	b.scan = func(ctx context.Context, prefix string) iter.Seq2[string, error] { return r.Scan(to(ctx), prefix) }
	b.clear = func(ctx context.Context, prefix string) error { return r.Clear(to(ctx), prefix) }
	b.watch = func(ctx context.Context) iter.Seq2[cache.Change, error] { return r.Watch(to(ctx)) }
	b.flush = func(ctx context.Context) error { return r.Flush(to(ctx)) }
}

// everyExpiry makes every method that takes an expiry use another one.
func everyExpiry(b *broken, to func(time.Time) time.Time) {
	entry := func(e cache.Entry) cache.Entry { return cache.Entry{Value: e.Value, Expires: to(e.Expires)} }
	set, setMany, add, swap, increment, touch := b.set, b.setMany, b.add, b.swap, b.increment, b.touch
	b.set = func(ctx context.Context, key string, e cache.Entry) error { return set(ctx, key, entry(e)) }
	b.setMany = func(ctx context.Context, items []cache.Item) error {
		changed := make([]cache.Item, len(items))
		for i, it := range items {
			changed[i] = cache.Item{Key: it.Key, Entry: entry(it.Entry)}
		}
		return setMany(ctx, changed)
	}
	b.add = func(ctx context.Context, key string, e cache.Entry) (bool, error) { return add(ctx, key, entry(e)) }
	b.swap = func(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
		return swap(ctx, key, old, entry(e))
	}
	b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
		return increment(ctx, key, delta, to(expiresIfNew))
	}
	b.touch = func(ctx context.Context, key string, expires time.Time) (bool, error) {
		return touch(ctx, key, to(expires))
	}
}

// everyError makes every method that takes a key return own in place of
// sentinel.
func everyError(b *broken, sentinel, own error) {
	to := func(err error) error {
		if errors.Is(err, sentinel) {
			return own
		}
		return err
	}
	r := b.reference
	b.get = func(ctx context.Context, key string) (cache.Entry, bool, error) {
		e, ok, err := r.Get(ctx, key)
		return e, ok, to(err)
	}
	b.set = func(ctx context.Context, key string, e cache.Entry) error { return to(r.Set(ctx, key, e)) }
	b.del = func(ctx context.Context, key string) error { return to(r.Delete(ctx, key)) }
	b.getMany = func(ctx context.Context, keys []string) ([]cache.Lookup, error) {
		found, err := r.GetMany(ctx, keys)
		return found, to(err)
	}
	b.setMany = func(ctx context.Context, items []cache.Item) error { return to(r.SetMany(ctx, items)) }
	b.delMany = func(ctx context.Context, keys []string) error { return to(r.DeleteMany(ctx, keys)) }
	b.add = func(ctx context.Context, key string, e cache.Entry) (bool, error) {
		stored, err := r.SetIfAbsent(ctx, key, e)
		return stored, to(err)
	}
	b.swap = func(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
		swapped, err := r.CompareAndSwap(ctx, key, old, e)
		return swapped, to(err)
	}
	b.swapDel = func(ctx context.Context, key string, old []byte) (bool, error) {
		deleted, err := r.CompareAndDelete(ctx, key, old)
		return deleted, to(err)
	}
	b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
		n, expires, err := r.Increment(ctx, key, delta, expiresIfNew)
		return n, expires, to(err)
	}
	b.touch = func(ctx context.Context, key string, expires time.Time) (bool, error) {
		found, err := r.Touch(ctx, key, expires)
		return found, to(err)
	}
}

func named(prefix string, groups ...string) []string {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = prefix + g
	}
	return names
}

func everywhereMutants() []mutant {
	return []mutant{{
		"refused keys have an error of their own",
		named("key/refused-by-", "store", "batch", "add", "swap", "count", "touch"),
		func(b *broken) { everyError(b, cache.ErrInvalidKey, errors.New("bad key")) },
	}, {
		"refused values have an error of their own",
		named("limit/", "set", "batch", "add", "swap"),
		func(b *broken) { everyError(b, cache.ErrTooLarge, errors.New("too big")) },
	}, {
		"the empty key is accepted", []string{"key/refused-by-store"},
		func(b *broken) { b.rekey(func(key string) string { return "(" + key + ")" }) },
	}, {
		"the empty key is accepted by Set", []string{"key/refused-by-store"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				if key == "" {
					return nil
				}
				return b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"a key over MaxKey is accepted by batches", []string{"key/refused-by-batch"},
		func(b *broken) {
			b.getMany = func(ctx context.Context, keys []string) ([]cache.Lookup, error) {
				if len(keys) == 1 && len(keys[0]) > cache.MaxKey {
					return make([]cache.Lookup, 1), nil
				}
				return b.reference.GetMany(ctx, keys)
			}
		},
	}, {
		"1970 is never",
		[]string{
			"expiry/past-removes", "add/with-past-expiry", "swap/with-past-expiry", "touch/past-removes",
			"count/with-past-expiry", "batch/expiry",
		},
		func(b *broken) {
			everyExpiry(b, func(at time.Time) time.Time {
				if at.UnixMilli() == 0 {
					return time.Time{}
				}
				return at
			})
		},
	}, {
		"contexts are ignored",
		named("context/", "store", "batch", "add", "swap", "count", "touch", "scan", "clear", "flush"),
		func(b *broken) { everyContext(b, context.WithoutCancel) },
	}, {
		"the end of a context is an error of the store's own",
		named("context/", "store", "batch", "add", "swap", "count", "touch", "scan", "clear", "flush"),
		func(b *broken) {
			everyContext(b, func(ctx context.Context) context.Context { return stranger{ctx} })
		},
	}, {
		"a cancelled context is a deadline that passed",
		named("context/", "store", "batch", "add", "swap", "count", "touch", "scan", "clear", "watch", "flush"),
		func(b *broken) {
			everyContext(b, func(ctx context.Context) context.Context {
				if ctx.Err() == nil {
					return ctx
				}
				late, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
				cancel()
				return late
			})
		},
	}}
}

// stranger is a context that ends with an error which nobody knows.
type stranger struct{ context.Context }

func (s stranger) Err() error {
	if s.Context.Err() != nil {
		return errors.New("interrupted")
	}
	return nil
}
