package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"

	"github.com/harpia-go/harpia/cache"
)

func valueMutants() []mutant {
	change := func(b *broken, to func([]byte) []byte) {
		b.set = func(ctx context.Context, key string, e cache.Entry) error {
			e.Value = to(e.Value)
			return b.reference.Set(ctx, key, e)
		}
	}
	return []mutant{{
		"the limit itself is refused", []string{"large/set", "large/add", "large/swap", "large/batch"},
		func(b *broken) {
			refuse := func(e cache.Entry) error {
				if len(e.Value) >= b.limits().MaxValue {
					return cache.ErrTooLarge
				}
				return nil
			}
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				return cmp.Or(refuse(e), b.reference.Set(ctx, key, e))
			}
			b.add = func(ctx context.Context, key string, e cache.Entry) (bool, error) {
				if err := refuse(e); err != nil {
					return false, err
				}
				return b.reference.SetIfAbsent(ctx, key, e)
			}
			b.swap = func(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
				if err := refuse(e); err != nil {
					return false, err
				}
				return b.reference.CompareAndSwap(ctx, key, old, e)
			}
			b.setMany = func(ctx context.Context, items []cache.Item) error {
				for _, it := range items {
					if err := refuse(it.Entry); err != nil {
						return err
					}
				}
				return b.reference.SetMany(ctx, items)
			}
		},
	}, {
		"an empty value is a miss", []string{"value/empty", "set/replaces"},
		func(b *broken) {
			b.get = func(ctx context.Context, key string) (cache.Entry, bool, error) {
				e, ok, err := b.reference.Get(ctx, key)
				return e, ok && len(e.Value) > 0, err
			}
		},
	}, {
		"a miss is an empty value", []string{"get/miss", "value/empty"},
		func(b *broken) {
			b.get = func(ctx context.Context, key string) (cache.Entry, bool, error) {
				e, _, err := b.reference.Get(ctx, key)
				return e, err == nil, err
			}
		},
	}, {
		"values are text", []string{"value/bytes"},
		func(b *broken) {
			change(b, func(v []byte) []byte { return bytes.ToValidUTF8(v, []byte("\uFFFD")) })
		},
	}, {
		"values end at NUL", []string{"value/bytes"},
		func(b *broken) {
			change(b, func(v []byte) []byte { v, _, _ = bytes.Cut(v, []byte{0}); return v })
		},
	}, {
		"values are cut at 4 MiB", []string{"value/large"},
		func(b *broken) { change(b, func(v []byte) []byte { return v[:min(len(v), 4<<20)] }) },
	}, {
		"values over 4 MiB are refused below the limit", []string{"value/large"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				if len(e.Value) > 4<<20 {
					return cache.ErrTooLarge
				}
				return b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"a value of exactly the limit is refused", []string{"value/large"},
		func(b *broken) {
			b.limits = func() cache.Limits { return cache.Limits{MaxValue: b.maxValue + 1} }
		},
	}, {
		"the value handed in is changed", []string{"value/handed-in"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				stored := bytes.Clone(e.Value)
				copy(e.Value, "XXXX") // as one that encrypts in place
				return b.reference.Set(ctx, key, cache.Entry{Value: stored, Expires: e.Expires})
			}
		},
	}, {
		"the value handed in is appended to", []string{"value/handed-in"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				_ = append(e.Value, 0xff) // as one that adds a checksum
				return b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"the value handed out is written over", []string{"value/handed-out"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				if old, ok, _ := b.reference.Get(ctx, key); ok {
					copy(old.Value, e.Value)
				}
				return b.reference.Set(ctx, key, cache.Entry{Value: bytes.Clone(e.Value), Expires: e.Expires})
			}
		},
	}, {
		"values over the limit are stored", []string{"limit/set", "limit/add", "limit/swap", "limit/batch"},
		func(b *broken) {
			b.maxValue *= 2
			b.limits = func() cache.Limits { return cache.Limits{MaxValue: b.maxValue / 2} }
		},
	}, {
		"values over the limit remove the old one", []string{"limit/set", "limit/batch"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				err := b.reference.Set(ctx, key, e)
				if errors.Is(err, cache.ErrTooLarge) {
					b.reference.Delete(ctx, key)
				}
				return err
			}
			b.setMany = func(ctx context.Context, items []cache.Item) error {
				for _, it := range items {
					if err := b.set(ctx, it.Key, it.Entry); err != nil {
						return err
					}
				}
				return nil
			}
		},
	}, {
		"the limit is 0", []string{"limit/sane"},
		func(b *broken) { b.limits = func() cache.Limits { return cache.Limits{} } },
	}, {
		"the limit changes", []string{"limit/sane"},
		func(b *broken) {
			b.limits = func() cache.Limits { b.maxValue--; return cache.Limits{MaxValue: b.maxValue} }
		},
	}}
}
