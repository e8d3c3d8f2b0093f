package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// GetOrLoad returns the value under key, or loads it and stores it with the
// options. A value that cannot be decoded is a miss, and what is loaded replaces it.
//
// One load of a key runs at a time; all who ask meanwhile get its result, each
// a copy of its own, decoded as Get would. The load runs under a context of its
// own with the deadline Options.LoadTimeout: a caller that gives up does not
// fail the others. At the deadline those who wait get ErrLoadTimeout, whether the
// load function returns or not; what it still returns is dropped, and the next
// caller loads anew. A value that is loaded by then, and that the store is slow to
// take, is theirs at the deadline. What a load returns is not stored when the key was written,
// deleted or cleared through this cache while the load ran, nor, where the
// store is an Adder, when anybody else set it.
//
// An error of load goes to all who wait and nothing is stored. A store that
// cannot be read or written does not fail the call: the value is loaded all
// the same, though not stored where the store is unavailable, and Stats counts
// the error. A load that calls GetOrLoad for its own key, with the context that it
// was given, gets ErrLoadsItself.
func (c *Cache[V]) GetOrLoad(ctx context.Context, key string, fn func(ctx context.Context) (V, error), opts ...SetOption) (V, error) {
	var none V
	full, err := c.key(key)
	if err != nil {
		return none, err
	}
	if _, err := deadline(c.ttl, opts); err != nil {
		return none, err
	}
	e, ok, failed := c.look(ctx, full)
	if failed == nil && ok {
		v, err := c.decode(e.Value)
		if err == nil {
			c.count.hits.Add(1)
			return v, nil
		}
		c.count.misses.Add(1)
	}
	if errors.Is(failed, ErrClosed) {
		return none, failed
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}

	if c.flights.loads(ctx, full) {
		return none, ErrLoadsItself
	}
	l, first, err := c.flights.join(full)
	if err != nil {
		return none, err
	}
	if first {
		go c.run(ctx, full, l, errors.Is(failed, ErrUnavailable), fn, opts)
	}
	select {
	case <-l.done:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	if l.err != nil {
		return none, l.err
	}
	v, err := c.decode(l.data)
	if err != nil {
		return none, c.undecodable(map[string]error{key: err})
	}
	return v, nil
}

// run does one load and answers all who wait for it, whatever becomes of fn. A
// store that is down has made the caller wait already: it is not asked again,
// and what is loaded is not stored. A load that its limit has ended is answered
// by then, and what it still brings is dropped.
func (c *Cache[V]) run(caller context.Context, full string, l *load, down bool, fn func(context.Context) (V, error), opts []SetOption) {
	ctx, end := c.flights.run(caller, full, l, func() { c.count.loadErrors.Add(1) })
	var data []byte
	var err error
	var fill func()
	returned := true
	defer func() {
		alive, left := end()
		if !alive {
			return
		}
		if !returned {
			c.count.loadErrors.Add(1)
		}
		// Who waits does so for a slow store no longer than for a slow load.
		loaded := data
		early := time.AfterFunc(left, func() { l.answer(loaded, err) })
		c.flights.store(full, l, fill)
		early.Stop()
		l.answer(data, err)
		c.flights.wg.Done()
	}()

	// Another load may have ended between the caller's miss and its joining.
	outage := c.outage()
	var found Entry
	var ok bool
	if !down {
		var err error
		found, ok, err = c.store.Get(ctx, full)
		if err == nil && ok && c.usable(found) {
			data = found.Value
			return
		}
		down = errors.Is(err, ErrUnavailable)
	}

	c.count.loads.Add(1)
	// What those who wait get if fn ends this goroutine with runtime.Goexit.
	err, returned = errors.New("cache: the load function did not return"), false
	data, err = c.call(ctx, fn)
	if returned = true; err != nil {
		c.count.loadErrors.Add(1)
		return
	}
	if down {
		return
	}
	fill = func() { data = c.fill(caller, outage, full, data, found, ok, opts) }
}

// fillTimeout bounds the storing of what was loaded. It is not what the load
// has left of its own time: a store that is given up in the middle of a write
// may still do it, at a moment when nobody waits for it any more.
const fillTimeout = 5 * time.Second

// stopgap is a store in whose place something else may serve for a time, which
// cannot do SetIfAbsent: pluginstore.Store.
type stopgap interface {
	// Outage numbers the outage during which it does; 0: there is none.
	Outage() uint64
	// Fill is SetIfAbsent for what was loaded after a miss during that outage.
	Fill(ctx context.Context, outage uint64, key string, e Entry) (stored bool, err error)
	// Itself is the store that these are methods of. A wrapper that embeds the
	// store has them too, and they would go past what it does.
	Itself() Store
}

// stopgapOf returns s if it is one, else nil.
func stopgapOf(s Store) stopgap {
	if g, ok := s.(stopgap); ok && g.Itself() == s {
		return g
	}
	return nil
}

func (c *Cache[V]) outage() uint64 {
	if s := stopgapOf(c.store); s != nil {
		return s.Outage()
	}
	return 0
}

// add stores what was loaded if nobody has set the key since the miss.
func (c *Cache[V]) add(ctx context.Context, outage uint64, full string, e Entry) (bool, error) {
	if s := stopgapOf(c.store); s != nil && outage != 0 {
		return s.Fill(ctx, outage, full, e)
	}
	return SetIfAbsent(ctx, c.store, full, e)
}

// fill stores what was loaded in the place of found, which could not be used,
// or of nothing. If someone outside this cache has set the key since, theirs is
// the newer value, and is returned.
func (c *Cache[V]) fill(caller context.Context, outage uint64, full string, data []byte, found Entry, ok bool, opts []SetOption) []byte {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(caller), fillTimeout)
	defer cancel()
	expires, err := deadline(c.ttl, opts)
	if err != nil {
		return data
	}
	e := Entry{Value: data, Expires: expires}
	stored := true
	switch {
	case ok && c.can.Has(CanSwap):
		stored, err = CompareAndSwap(ctx, c.store, full, found.Value, e)
	case !ok && c.can.Has(CanAdd):
		stored, err = c.add(ctx, outage, full, e)
	default:
		err = c.store.Set(ctx, full, e)
	}
	switch {
	case err != nil:
		c.count.errors.Add(1)
		if ctx.Err() != nil || errors.Is(err, ErrUnavailable) {
			// It may have been stored, or may yet be; what follows must not
			// find it.
			c.forget(caller, full)
		}
	case stored:
		c.count.sets.Add(1)
	default:
		if theirs, ok, err := c.store.Get(ctx, full); err == nil && ok && c.usable(theirs) {
			return theirs.Value
		}
	}
	return data
}

// forget deletes the key if that can be done now.
func (c *Cache[V]) forget(caller context.Context, full string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(caller), fillTimeout)
	defer cancel()
	c.count.failed(c.store.Delete(ctx, full))
}

// usable reports whether e is live and can be decoded.
func (c *Cache[V]) usable(e Entry) bool {
	if e.Expired(time.Now()) {
		return false
	}
	_, err := c.decode(e.Value)
	return err == nil
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
