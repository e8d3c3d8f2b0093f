package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// GetOrLoad returns the value under key, or loads it and stores it with the
// options.
//
// One load of a key runs at a time; all who ask meanwhile get its result, each
// a copy of its own, decoded as Get would. The load runs under a context of its
// own with the deadline Options.LoadTimeout: a caller that gives up does not
// fail the others. What a load returns is not stored when the key was written,
// deleted or cleared through this cache while the load ran, nor, where the
// store is an Adder, when anybody else set it.
//
// An error of load goes to all who wait and nothing is stored. A store that
// cannot be read or written does not fail the call: the value is loaded all
// the same, and Stats counts the error. A load must not call GetOrLoad for its
// own key, which would wait for itself.
func (c *Cache[V]) GetOrLoad(ctx context.Context, key string, fn func(ctx context.Context) (V, error), opts ...SetOption) (V, error) {
	var none V
	full, err := c.key(key)
	if err != nil {
		return none, err
	}
	if _, err := deadline(c.ttl, opts); err != nil {
		return none, err
	}
	e, ok, err := c.read(ctx, full)
	switch {
	case err == nil && ok:
		if v, err := c.decode(e.Value); err == nil {
			return v, nil
		}
	case errors.Is(err, ErrClosed) || ctx.Err() != nil:
		return none, err
	}

	l, first, err := c.flights.join(full)
	if err != nil {
		return none, err
	}
	if first {
		go c.run(ctx, full, l, fn, opts)
	}
	select {
	case <-l.done:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	if l.err != nil {
		return none, l.err
	}
	return c.decode(l.data)
}

// run does one load and answers all who wait for it, whatever becomes of fn.
func (c *Cache[V]) run(caller context.Context, full string, l *load, fn func(context.Context) (V, error), opts []SetOption) {
	defer c.flights.wg.Done()
	ctx, cancel := c.flights.context(caller)
	defer cancel()
	defer close(l.done)
	var fill func()
	defer func() { c.flights.store(full, l, fill) }()

	// Another load may have ended between the caller's miss and its joining.
	e, ok, err := c.store.Get(ctx, full)
	absent := err == nil && !ok
	if err == nil && ok {
		if _, err := c.decode(e.Value); err == nil {
			l.data = e.Value
			return
		}
	}

	c.count.loads.Add(1)
	// What those who wait get if fn ends this goroutine with runtime.Goexit.
	l.err = errors.New("cache: the load function did not return")
	if l.data, l.err = c.call(ctx, fn); l.err != nil {
		c.count.loadErrors.Add(1)
		return
	}
	fill = func() { c.fill(ctx, full, l, absent, opts) }
}

// fill stores what was loaded. If someone outside this cache has set the key
// since it was seen absent, theirs is the newer value.
func (c *Cache[V]) fill(ctx context.Context, full string, l *load, absent bool, opts []SetOption) {
	expires, err := deadline(c.ttl, opts)
	if err != nil {
		return
	}
	e := Entry{Value: l.data, Expires: expires}
	if !absent || !c.can.Has(CanAdd) {
		c.wrote(&c.count.sets, 1, c.store.Set(ctx, full, e))
		return
	}
	stored, err := SetIfAbsent(ctx, c.store, full, e)
	if stored || err != nil {
		c.wrote(&c.count.sets, 1, err)
		return
	}
	if e, ok, err := c.store.Get(ctx, full); err == nil && ok {
		if _, err := c.decode(e.Value); err == nil {
			l.data = e.Value
		}
	}
}

// call runs a caller's load function and encodes its result. A panic in it
// becomes the error of those who wait, not the end of the process.
func (c *Cache[V]) call(ctx context.Context, fn func(context.Context) (V, error)) (data []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cache: the load function panicked: %v\n%s", r, debug.Stack())
		}
	}()
	v, err := fn(ctx)
	if err != nil {
		return nil, err
	}
	return c.encode(v)
}
