package cache

import "context"

// GetMany implements Batcher: it asks the store only for what is not copied.
func (n *Near) GetMany(ctx context.Context, keys []string) ([]Lookup, error) {
	if err := n.can(CanBatch, "GetMany"); err != nil {
		return nil, err
	}
	found := make([]Lookup, len(keys))
	var missing []string
	var at []int // where they are in keys
	for i, key := range keys {
		e, ok, err := n.copies.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		if !ok {
			missing, at = append(missing, key), append(at, i)
			continue
		}
		if n.maxTTL != 0 {
			e = unpack(e)
		}
		found[i] = Lookup{Entry: e, Found: true}
	}
	if len(missing) == 0 {
		return found, nil
	}
	calls := n.calls.many(missing, n.calls.read)
	defer calls.end()
	got, err := GetMany(ctx, n.store, missing)
	if err != nil {
		return nil, err
	}
	for i, l := range got {
		found[at[i]] = l
		calls[i].is(l.Entry, l.Found)
	}
	return found, nil
}

// SetMany implements Batcher.
func (n *Near) SetMany(ctx context.Context, items []Item) error {
	if err := n.can(CanBatch, "SetMany"); err != nil {
		return err
	}
	keys := make([]string, len(items))
	for i, it := range items {
		keys[i] = it.Key
	}
	calls := n.calls.many(keys, n.calls.write)
	defer calls.end()
	if err := SetMany(ctx, n.store, items); err != nil {
		return err
	}
	for i, it := range items {
		calls[i].is(it.Entry, true)
	}
	return nil
}

// DeleteMany implements Batcher.
func (n *Near) DeleteMany(ctx context.Context, keys []string) error {
	if err := n.can(CanBatch, "DeleteMany"); err != nil {
		return err
	}
	calls := n.calls.many(keys, n.calls.write)
	defer calls.end()
	return DeleteMany(ctx, n.store, keys)
}

// nearBatch is one call to the store for many keys. A key that is written twice
// in it is not copied, since neither of its writes is alone.
type nearBatch []nearCall

func (c *nearCalls) many(keys []string, begin func(key string) nearCall) nearBatch {
	calls := make(nearBatch, len(keys))
	for i, key := range keys {
		calls[i] = begin(key)
	}
	return calls
}

func (b nearBatch) end() {
	for i := range b {
		b[i].end()
	}
}
