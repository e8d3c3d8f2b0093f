package storetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func batchMutants() []mutant {
	getMany := func(change func([]string, []cache.Lookup) []cache.Lookup) func(*broken) {
		return func(b *broken) {
			b.getMany = func(ctx context.Context, keys []string) ([]cache.Lookup, error) {
				found, err := b.reference.GetMany(ctx, keys)
				return change(keys, found), err
			}
		}
	}
	setMany := func(change func([]cache.Item) []cache.Item) func(*broken) {
		return func(b *broken) {
			b.setMany = func(ctx context.Context, items []cache.Item) error {
				return b.reference.SetMany(ctx, change(items))
			}
		}
	}
	return []mutant{{
		"GetMany answers in another order", []string{"batch/get", "batch/thousand"},
		getMany(func(_ []string, found []cache.Lookup) []cache.Lookup { slices.Reverse(found); return found }),
	}, {
		"GetMany leaves out what is missing", []string{"batch/get", "batch/thousand"},
		getMany(func(_ []string, found []cache.Lookup) []cache.Lookup {
			return slices.DeleteFunc(found, func(l cache.Lookup) bool { return !l.Found })
		}),
	}, {
		"GetMany answers each key once", []string{"batch/get"},
		getMany(func(keys []string, found []cache.Lookup) []cache.Lookup {
			answered := make(map[string]bool)
			for i, key := range keys {
				if answered[key] {
					found[i] = cache.Lookup{}
				}
				answered[key] = true
			}
			return found
		}),
	}, {
		"GetMany takes an empty value for a miss", []string{"batch/get"},
		getMany(func(_ []string, found []cache.Lookup) []cache.Lookup {
			for i, l := range found {
				found[i].Found = l.Found && len(l.Entry.Value) > 0
			}
			return found
		}),
	}, {
		"GetMany drops the expiry", []string{"batch/expiry"},
		getMany(func(_ []string, found []cache.Lookup) []cache.Lookup {
			for i := range found {
				found[i].Entry.Expires = time.Time{}
			}
			return found
		}),
	}, {
		"GetMany answers no more than 8 MiB", []string{"batch/large"},
		getMany(func(_ []string, found []cache.Lookup) []cache.Lookup {
			room := 8 << 20
			for i, l := range found {
				if room -= len(l.Entry.Value); room < 0 {
					found[i] = cache.Lookup{}
				}
			}
			return found
		}),
	}, {
		"GetMany returns expired entries", []string{"batch/expired"},
		func(b *broken) {
			b.getMany = func(ctx context.Context, keys []string) ([]cache.Lookup, error) {
				b.mu.Lock()
				defer b.mu.Unlock()
				found := make([]cache.Lookup, len(keys))
				for i, key := range keys {
					found[i].Entry, found[i].Found = b.entries[key]
				}
				return found, ctx.Err()
			}
		},
	}, {
		"GetMany of nothing is an error", []string{"batch/empty"},
		func(b *broken) {
			b.getMany = func(ctx context.Context, keys []string) ([]cache.Lookup, error) {
				if len(keys) == 0 {
					return nil, errors.New("no keys")
				}
				return b.reference.GetMany(ctx, keys)
			}
		},
	}, {
		"GetMany of a miss is an error", []string{"batch/get"},
		func(b *broken) {
			b.getMany = func(ctx context.Context, keys []string) ([]cache.Lookup, error) {
				found, err := b.reference.GetMany(ctx, keys)
				if slices.ContainsFunc(found, func(l cache.Lookup) bool { return !l.Found }) {
					err = errors.New("no such key")
				}
				return found, err
			}
		},
	}, {
		"in SetMany the first wins", []string{"batch/set"},
		setMany(func(items []cache.Item) []cache.Item {
			items = slices.Clone(items)
			slices.Reverse(items)
			return items
		}),
	}, {
		"SetMany does no more than 512", []string{"batch/thousand"},
		setMany(func(items []cache.Item) []cache.Item { return items[:min(len(items), 512)] }),
	}, {
		"SetMany drops the expiry", []string{"batch/expiry", "batch/expired"},
		setMany(func(items []cache.Item) []cache.Item {
			items = slices.Clone(items)
			for i := range items {
				items[i].Entry.Expires = time.Time{}
			}
			return items
		}),
	}, {
		"SetMany leaves out what has expired", []string{"batch/expiry"},
		setMany(func(items []cache.Item) []cache.Item {
			return slices.DeleteFunc(slices.Clone(items), func(it cache.Item) bool { return it.Entry.Expired(time.Now()) })
		}),
	}, {
		"SetMany of over 8 MiB is refused", []string{"batch/large"},
		func(b *broken) {
			b.setMany = func(ctx context.Context, items []cache.Item) error {
				n := 0
				for _, it := range items {
					n += len(it.Entry.Value)
				}
				if n > 8<<20 {
					return errors.New("message too large")
				}
				return b.reference.SetMany(ctx, items)
			}
		},
	}, {
		"GetMany of more than 1 000 is refused", []string{"batch/thousands"},
		func(b *broken) {
			b.getMany = func(ctx context.Context, keys []string) ([]cache.Lookup, error) {
				if len(keys) > 1000 {
					return nil, errors.New("too many SQL variables")
				}
				return b.reference.GetMany(ctx, keys)
			}
		},
	}, {
		"DeleteMany does nothing", []string{"batch/delete", "batch/thousand", "batch/thousands"},
		func(b *broken) { b.delMany = func(ctx context.Context, _ []string) error { return ctx.Err() } },
	}, {
		"DeleteMany deletes what begins with a key", []string{"batch/delete"},
		func(b *broken) {
			b.delMany = func(ctx context.Context, keys []string) error {
				for _, key := range keys {
					b.reference.Clear(ctx, key)
				}
				return nil
			}
		},
	}, {
		"DeleteMany of nothing deletes everything", []string{"batch/empty"},
		func(b *broken) {
			b.delMany = func(ctx context.Context, keys []string) error {
				if len(keys) == 0 {
					b.mu.Lock()
					defer b.mu.Unlock()
					maps.DeleteFunc(b.entries, func(string, cache.Entry) bool { return true })
				}
				return b.reference.DeleteMany(ctx, keys)
			}
		},
	}, {
		"DeleteMany of a missing key is an error", []string{"batch/delete"},
		func(b *broken) {
			b.delMany = func(ctx context.Context, keys []string) error {
				for _, key := range keys {
					if _, found, _ := b.reference.Get(ctx, key); !found {
						return errors.New("no such key")
					}
				}
				return b.reference.DeleteMany(ctx, keys)
			}
		},
	}}
}
