package cache

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Cache keeps values of type V under string keys in a Store. All methods are
// safe for concurrent use. Their errors wrap the sentinels of this package.
//
// Caches that share keys (same store, same prefix) should be one *Cache: a
// load in flight (see GetOrLoad) knows only of the writes through its own.
type Cache[V any] struct {
	store   Store
	can     Capability
	own     bool // the store is this cache's own and is closed with it
	codec   Codec
	prefix  string
	ttl     time.Duration
	flights *flights
	count   counters
	closed  atomic.Bool
	closing sync.Once
	err     error // of closing
}

// New returns a cache. It fails on options that make no sense, and where the codec
// cannot store values of type V so that they come back: the error is ErrEncode and
// names the field.
func New[V any](o Options) (*Cache[V], error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	c := &Cache[V]{store: o.Store, codec: o.Codec, prefix: o.Prefix, ttl: o.TTL}
	if c.codec == nil {
		c.codec = codecFor[V]()
	}
	if e := exactOf(c.codec); e != nil {
		t := reflect.TypeFor[V]()
		if err := e.checkType(t); err != nil {
			return nil, fmt.Errorf("%w: type %v: %w", ErrEncode, t, err)
		}
	}
	if c.store == nil {
		m, err := NewMemory(MemoryOptions{})
		if err != nil {
			return nil, err
		}
		c.store, c.own = m, true
	}
	if o.LoadTimeout == 0 {
		o.LoadTimeout = DefaultLoadTimeout
	}
	c.can = CapabilitiesOf(c.store)
	c.flights = newFlights(o.LoadTimeout)
	return c, nil
}

// Get returns the value under key and whether there is one. One that cannot be
// decoded gives a *DecodeError.
func (c *Cache[V]) Get(ctx context.Context, key string) (V, bool, error) {
	v, _, ok, err := c.GetWithExpiry(ctx, key)
	return v, ok, err
}

// GetWithExpiry is Get that also tells when the entry expires; the zero time
// is never.
func (c *Cache[V]) GetWithExpiry(ctx context.Context, key string) (v V, expires time.Time, ok bool, err error) {
	full, err := c.key(key)
	if err != nil {
		return v, time.Time{}, false, err
	}
	e, ok, err := c.read(ctx, full)
	if err != nil || !ok {
		return v, time.Time{}, false, err
	}
	if v, err = c.decode(e.Value); err != nil {
		return v, time.Time{}, false, c.undecodable(map[string]error{key: err})
	}
	return v, e.Expires, true, nil
}

// Set stores v under key. A nil or empty value is a value: it will be found. A
// value that would not come back as it is gives ErrEncode and is not stored.
func (c *Cache[V]) Set(ctx context.Context, key string, v V, opts ...SetOption) error {
	full, err := c.key(key)
	if err != nil {
		return err
	}
	e, err := c.entry(v, opts)
	if err != nil {
		return err
	}
	w, err := c.flights.write(ctx, full)
	if err != nil {
		return err
	}
	defer w.done()
	err = c.store.Set(ctx, full, e)
	c.wrote(&c.count.sets, 1, err)
	return err
}

// Delete removes key. A key that is not there is no error.
func (c *Cache[V]) Delete(ctx context.Context, key string) error {
	full, err := c.key(key)
	if err != nil {
		return err
	}
	w, err := c.flights.write(ctx, full)
	if err != nil {
		return err
	}
	defer w.done()
	err = c.store.Delete(ctx, full)
	c.wrote(&c.count.deletes, 1, err)
	return err
}

// Keys yields the keys of this cache, without its prefix, in any order. The
// cache may be used meanwhile. The store must be a Scanner, else the one error
// is errors.ErrUnsupported.
func (c *Cache[V]) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if c.closed.Load() {
			yield("", ErrClosed)
			return
		}
		for key, err := range Scan(ctx, c.store, c.prefix+prefix) {
			if err != nil {
				c.count.failed(err)
				yield("", err)
				return
			}
			// A key that is the prefix alone is not one of this cache's, and a
			// store that ignores the prefix must not show the neighbours'.
			short, ok := strings.CutPrefix(key, c.prefix)
			if !ok || short == "" || !strings.HasPrefix(short, prefix) {
				continue
			}
			if !yield(short, nil) {
				return
			}
		}
	}
}

// Clear removes every key of this cache that begins with prefix; "" is all
// that have the cache's own prefix, never what others keep in the same store.
// A store that cannot clear or scan gives errors.ErrUnsupported.
func (c *Cache[V]) Clear(ctx context.Context, prefix string) error {
	if c.closed.Load() {
		return ErrClosed
	}
	w, err := c.flights.writeAll(ctx)
	if err != nil {
		return err
	}
	defer w.done()
	err = Clear(ctx, c.store, c.prefix+prefix)
	c.count.failed(err)
	return err
}

// Stats returns what this cache has counted so far.
func (c *Cache[V]) Stats() Stats { return c.count.stats() }

// Close ends the cache: loads in flight are cancelled and waited for, each until its
// own limit at most, later calls return ErrClosed, and a store that the cache made
// itself is closed. A load that calls Close waits for its own limit.
func (c *Cache[V]) Close() error {
	c.closing.Do(func() {
		c.closed.Store(true)
		c.flights.close()
		if c.own {
			c.err = Close(c.store)
		}
	})
	return c.err
}

// key checks a caller's key and returns the store's.
func (c *Cache[V]) key(key string) (string, error) {
	if c.closed.Load() {
		return "", ErrClosed
	}
	if key == "" {
		return "", CheckKey(key)
	}
	if c.prefix != "" {
		key = c.prefix + key
	}
	return key, CheckKey(key)
}

func (c *Cache[V]) entry(v V, opts []SetOption) (Entry, error) {
	expires, err := deadline(c.ttl, opts)
	if err != nil {
		return Entry{}, err
	}
	data, err := c.encode(v)
	return Entry{Value: data, Expires: expires}, err
}

func (c *Cache[V]) encode(v V) ([]byte, error) {
	data, err := encodeAt(c.codec, &v)
	if err != nil {
		return nil, fmt.Errorf("%w: type %v: %w", ErrEncode, reflect.TypeFor[V](), err)
	}
	return data, nil
}

// decode counts an error, which undecodable makes one for callers.
func (c *Cache[V]) decode(data []byte) (V, error) {
	var v V
	if err := c.codec.Decode(data, &v); err != nil {
		c.count.errors.Add(1)
		var none V
		return none, err
	}
	return v, nil
}

func (c *Cache[V]) undecodable(causes map[string]error) error {
	return &DecodeError{Type: reflect.TypeFor[V](), Causes: causes}
}

// read gets a live entry and counts the outcome.
func (c *Cache[V]) read(ctx context.Context, full string) (Entry, bool, error) {
	e, ok, err := c.look(ctx, full)
	if ok {
		c.count.hits.Add(1)
	}
	return e, ok, err
}

// look is read that leaves a hit to be counted by the caller.
func (c *Cache[V]) look(ctx context.Context, full string) (Entry, bool, error) {
	e, ok, err := c.store.Get(ctx, full)
	if err != nil {
		c.count.errors.Add(1)
		return Entry{}, false, err
	}
	if !live(e, ok) {
		c.count.misses.Add(1)
		return Entry{}, false, nil
	}
	return e, true, nil
}

// live reports whether e was found and has not expired. The store must not return
// an expired entry, but a clock or a plugin may be wrong.
func live(e Entry, ok bool) bool {
	return ok && (e.Expires.IsZero() || !e.Expired(time.Now()))
}

func (c *Cache[V]) live(e Entry, ok bool) (Entry, bool, error) {
	if !live(e, ok) {
		c.count.misses.Add(1)
		return Entry{}, false, nil
	}
	c.count.hits.Add(1)
	return e, true, nil
}

func (c *Cache[V]) wrote(what *counter, n int, err error) {
	if err != nil {
		c.count.errors.Add(1)
		return
	}
	what.Add(uint64(n))
}
