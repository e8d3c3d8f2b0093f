package cache

import "context"

// GetMany returns one Lookup for each key, in the order of keys.
func (m *Memory) GetMany(ctx context.Context, keys []string) ([]Lookup, error) {
	if err := m.check(ctx); err != nil {
		return nil, err
	}
	found := make([]Lookup, len(keys))
	for i, key := range keys {
		e, ok, err := m.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		found[i] = Lookup{Entry: e, Found: ok}
	}
	return found, nil
}

// SetMany sets the items in their order. If one of them is not valid it sets
// none.
func (m *Memory) SetMany(ctx context.Context, items []Item) error {
	if err := m.check(ctx); err != nil {
		return err
	}
	for _, it := range items {
		if err := CheckEntry(it.Key, it.Entry, m.maxValue); err != nil {
			return err
		}
	}
	for _, it := range items {
		if err := m.Set(ctx, it.Key, it.Entry); err != nil {
			return err
		}
	}
	return nil
}

// DeleteMany removes the keys. If one of them is not valid it removes none.
func (m *Memory) DeleteMany(ctx context.Context, keys []string) error {
	if err := m.check(ctx); err != nil {
		return err
	}
	for _, key := range keys {
		if err := CheckKey(key); err != nil {
			return err
		}
	}
	for _, key := range keys {
		if err := m.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
