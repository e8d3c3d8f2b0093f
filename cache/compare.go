package cache

import "context"

// CompareAndSwap stores v under key if the key holds old, and reports whether
// it did. A key that holds nothing never matches. What is compared are the
// bytes that the codec makes of old; where a codec may write one value in
// several ways, Update is the method to use. A store that cannot swap gives
// errors.ErrUnsupported.
func (c *Cache[V]) CompareAndSwap(ctx context.Context, key string, old, v V, opts ...SetOption) (bool, error) {
	full, err := c.key(key)
	if err != nil {
		return false, err
	}
	was, err := c.encode(old)
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
	swapped, err := CompareAndSwap(ctx, c.store, full, was, e)
	if swapped || err != nil {
		c.wrote(&c.count.sets, 1, err)
	}
	return swapped, err
}

// CompareAndDelete removes key if it holds old, compared as by CompareAndSwap,
// and reports whether it did. A store that cannot swap gives
// errors.ErrUnsupported.
func (c *Cache[V]) CompareAndDelete(ctx context.Context, key string, old V) (bool, error) {
	full, err := c.key(key)
	if err != nil {
		return false, err
	}
	was, err := c.encode(old)
	if err != nil {
		return false, err
	}
	w, err := c.flights.write(ctx, full)
	if err != nil {
		return false, err
	}
	defer w.done()
	deleted, err := CompareAndDelete(ctx, c.store, full, was)
	if deleted || err != nil {
		c.wrote(&c.count.deletes, 1, err)
	}
	return deleted, err
}
