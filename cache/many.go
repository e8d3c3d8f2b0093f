package cache

import "context"

// GetMany returns the values of those keys that are there. If some cannot be
// decoded, it returns all others together with a *DecodeError that has their keys.
func (c *Cache[V]) GetMany(ctx context.Context, keys []string) (map[string]V, error) {
	full, err := c.keys(keys)
	if err != nil {
		return nil, err
	}
	found, err := GetMany(ctx, c.store, full)
	if err != nil {
		c.count.errors.Add(1)
		return nil, err
	}
	values := make(map[string]V, len(found))
	var bad map[string]error
	for i, f := range found {
		e, ok, _ := c.live(f.Entry, f.Found)
		if !ok {
			continue
		}
		v, err := c.decode(e.Value)
		if err != nil {
			if bad == nil {
				bad = map[string]error{}
			}
			bad[keys[i]] = err
			continue
		}
		values[keys[i]] = v
	}
	if bad != nil {
		return values, c.undecodable(bad)
	}
	return values, nil
}

// SetMany stores the values under their keys. It is not a transaction: after
// an error any of them may have been stored.
func (c *Cache[V]) SetMany(ctx context.Context, values map[string]V, opts ...SetOption) error {
	items := make([]Item, 0, len(values))
	keys := make([]string, 0, len(values))
	for key, v := range values {
		full, err := c.key(key)
		if err != nil {
			return err
		}
		e, err := c.entry(v, opts)
		if err != nil {
			return err
		}
		items = append(items, Item{Key: full, Entry: e})
		keys = append(keys, full)
	}
	w, err := c.flights.write(ctx, keys...)
	if err != nil {
		return err
	}
	defer w.done()
	err = SetMany(ctx, c.store, items)
	c.wrote(&c.count.sets, len(items), err)
	return err
}

// DeleteMany removes the keys; those that are not there are no error.
func (c *Cache[V]) DeleteMany(ctx context.Context, keys []string) error {
	full, err := c.keys(keys)
	if err != nil {
		return err
	}
	w, err := c.flights.write(ctx, full...)
	if err != nil {
		return err
	}
	defer w.done()
	err = DeleteMany(ctx, c.store, full)
	c.wrote(&c.count.deletes, len(full), err)
	return err
}

func (c *Cache[V]) keys(keys []string) ([]string, error) {
	if c.closed.Load() {
		return nil, ErrClosed
	}
	full := make([]string, len(keys))
	for i, key := range keys {
		var err error
		if full[i], err = c.key(key); err != nil {
			return nil, err
		}
	}
	return full, nil
}
