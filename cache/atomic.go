package cache

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// SetIfAbsent stores v if key holds nothing, and reports whether it did. A
// store without this gives errors.ErrUnsupported.
func (c *Cache[V]) SetIfAbsent(ctx context.Context, key string, v V, opts ...SetOption) (bool, error) {
	full, err := c.key(key)
	if err != nil {
		return false, err
	}
	e, err := c.entry(v, opts)
	if err != nil {
		return false, err
	}
	w, err := c.flights.write(ctx, full)
	if err != nil {
		return false, err
	}
	defer w.done()
	stored, err := SetIfAbsent(ctx, c.store, full, e)
	if stored || err != nil {
		c.wrote(&c.count.sets, 1, err)
	}
	return stored, err
}

// Increment adds delta to the counter under key and returns the sum and when
// the counter expires (zero: never). A counter starts at 0, with the expiry of
// the options; one that exists keeps its expiry, so a rate limit's window is
// never prolonged. In every store a counter is decimal text: a Cache[int64] or
// Cache[string] can Get it. A value that is no counter gives ErrNotCounter, a
// store that cannot count errors.ErrUnsupported.
func (c *Cache[V]) Increment(ctx context.Context, key string, delta int64, opts ...SetOption) (n int64, expires time.Time, err error) {
	full, err := c.key(key)
	if err != nil {
		return 0, time.Time{}, err
	}
	ifNew, err := deadline(c.ttl, opts)
	if err != nil {
		return 0, time.Time{}, err
	}
	w, err := c.flights.write(ctx, full)
	if err != nil {
		return 0, time.Time{}, err
	}
	defer w.done()
	n, expires, err = Increment(ctx, c.store, full, delta, ifNew)
	c.wrote(&c.count.sets, 1, err)
	return n, expires, err
}

// Touch gives the entry under key a new expiry, that of the options, and
// reports whether there was one. A store that can neither touch nor swap gives
// errors.ErrUnsupported.
func (c *Cache[V]) Touch(ctx context.Context, key string, opts ...SetOption) (bool, error) {
	full, err := c.key(key)
	if err != nil {
		return false, err
	}
	expires, err := deadline(c.ttl, opts)
	if err != nil {
		return false, err
	}
	w, err := c.flights.write(ctx, full)
	if err != nil {
		return false, err
	}
	defer w.done()
	found, err := Touch(ctx, c.store, full, expires)
	c.count.failed(err)
	return found, err
}

// Update replaces the value under key by what change makes of it, atomically:
// when somebody else changes the key meanwhile, change is called again with
// the newer value. ok tells change whether there was a value. An error of
// change ends Update, is returned as it is, and leaves the entry.
//
// A value that cannot be decoded ends Update with a *DecodeError, unless the options
// have ReplaceUndecodable. Without a TTL option an entry keeps its expiry, and a new one gets the
// cache's. A store that cannot swap gives errors.ErrUnsupported.
func (c *Cache[V]) Update(ctx context.Context, key string, change func(v V, ok bool) (V, error), opts ...SetOption) error {
	full, err := c.key(key)
	if err != nil {
		return err
	}
	if !c.can.Has(CanSwap | CanAdd) {
		return unsupported("CompareAndSwap")
	}
	for attempt := 0; ; attempt++ {
		done, err := c.tryUpdate(ctx, key, full, change, opts)
		if done || err != nil {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func (c *Cache[V]) tryUpdate(ctx context.Context, key, full string, change func(V, bool) (V, error), opts []SetOption) (bool, error) {
	old, present, err := c.store.Get(ctx, full)
	if err != nil {
		c.count.errors.Add(1)
		return false, err
	}
	// An entry that the store should not return any more is still what a swap
	// has to replace.
	_, ok, _ := c.live(old, present)
	var v V
	if ok {
		if v, err = c.decode(old.Value); err != nil {
			if !slices.ContainsFunc(opts, func(o SetOption) bool { return o.replace }) {
				return false, c.undecodable(map[string]error{key: err})
			}
			ok = false
		}
	}
	if v, err = change(v, ok); err != nil {
		return false, err
	}
	e, err := c.entry(v, opts)
	if err != nil {
		return false, err
	}
	if ok && ttlOf(opts) == nil {
		e.Expires = old.Expires
	}
	w, err := c.flights.write(ctx, full)
	if err != nil {
		return false, err
	}
	defer w.done()
	var done bool
	if present {
		done, err = CompareAndSwap(ctx, c.store, full, old.Value, e)
	} else {
		done, err = SetIfAbsent(ctx, c.store, full, e)
	}
	if done || err != nil {
		c.wrote(&c.count.sets, 1, err)
	}
	return done, err
}

// pause spreads callers that keep losing the race for one key. Somebody wins
// each round, so the first few tries need none.
func pause(ctx context.Context, attempt int) error {
	if attempt < 3 {
		return ctx.Err()
	}
	most := min(time.Millisecond<<min(attempt-3, 6), 50*time.Millisecond)
	t := time.NewTimer(rand.N(most))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
