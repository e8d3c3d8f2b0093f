package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/harpia-go/harpia/cache"
)

func storeMutants() []mutant {
	return []mutant{{
		"a miss is an error", []string{"get/miss", "delete/removes", "key/bytes"},
		func(b *broken) {
			b.get = func(ctx context.Context, key string) (cache.Entry, bool, error) {
				e, ok, err := b.reference.Get(ctx, key)
				if !ok && err == nil {
					err = errors.New("no such key")
				}
				return e, ok, err
			}
		},
	}, {
		"stores nothing", []string{"get/round-trip", "set/replaces", "value/large", "flush/keeps", "touch/extends", "swap/match"},
		func(b *broken) { b.set = func(context.Context, string, cache.Entry) error { return nil } },
	}, {
		"Delete does nothing", []string{"delete/removes", "delete/set-again", "value/empty"},
		func(b *broken) { b.del = func(context.Context, string) error { return nil } },
	}, {
		"Delete of a missing key is an error", []string{"delete/missing"},
		func(b *broken) {
			b.del = func(ctx context.Context, key string) error {
				if _, ok, _ := b.reference.Get(ctx, key); !ok {
					return errors.New("no such key")
				}
				return b.reference.Delete(ctx, key)
			}
		},
	}, {
		"Delete leaves an empty value", []string{"delete/removes", "delete/missing", "delete/set-again"},
		func(b *broken) {
			b.del = func(ctx context.Context, key string) error { return b.reference.Set(ctx, key, cache.Entry{}) }
		},
	}, {
		"Set keeps the tail of a longer old value", []string{"set/replaces"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				if old, ok, _ := b.reference.Get(ctx, key); ok && len(old.Value) > len(e.Value) {
					e.Value = append(bytes.Clone(e.Value), old.Value[len(e.Value):]...)
				}
				return b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"a deleted key cannot be set again", []string{"delete/set-again"},
		func(b *broken) {
			deleted := make(map[string]bool)
			b.del = func(ctx context.Context, key string) error {
				deleted[key] = true
				return b.reference.Delete(ctx, key)
			}
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				if deleted[key] {
					return nil
				}
				return b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"a value is never replaced", []string{"set/replaces", "expiry/given-by-set", "expiry/dropped-by-set"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				_, err := b.reference.SetIfAbsent(ctx, key, e)
				return err
			}
		},
	}}
}

// rekey makes the three methods use another key than the one they are given.
func (b *broken) rekey(other func(key string) string) {
	b.get = func(ctx context.Context, key string) (cache.Entry, bool, error) {
		return b.reference.Get(ctx, other(key))
	}
	b.set = func(ctx context.Context, key string, e cache.Entry) error {
		return b.reference.Set(ctx, other(key), e)
	}
	b.del = func(ctx context.Context, key string) error { return b.reference.Delete(ctx, other(key)) }
}

func keyMutants() []mutant {
	return []mutant{{
		"keys end at NUL", []string{"key/bytes", "key/distinct"},
		func(b *broken) { b.rekey(func(key string) string { key, _, _ = strings.Cut(key, "\x00"); return key }) },
	}, {
		"invalid UTF-8 is replaced", []string{"key/bytes"},
		func(b *broken) { b.rekey(func(key string) string { return strings.ToValidUTF8(key, "\uFFFD") }) },
	}, {
		"invalid UTF-8 is refused", []string{"key/bytes"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				if strings.ToValidUTF8(key, "") != key {
					return cache.ErrInvalidKey
				}
				return b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"keys are folded to lower case", []string{"key/distinct"},
		func(b *broken) { b.rekey(strings.ToLower) },
	}, {
		"keys are trimmed", []string{"key/bytes", "key/distinct"},
		func(b *broken) { b.rekey(strings.TrimSpace) },
	}, {
		"keys are paths", []string{"key/distinct"},
		func(b *broken) { b.rekey(func(key string) string { return strings.ReplaceAll(key, "//", "/") }) },
	}, {
		"long keys are cut", []string{"key/longest"},
		func(b *broken) { b.rekey(func(key string) string { return key[:min(len(key), 4096)] }) },
	}, {
		"the longest key is refused", []string{"key/longest"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				if len(key) >= cache.MaxKey {
					return cache.ErrInvalidKey
				}
				return b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"Delete deletes what begins with the key", []string{"key/distinct"},
		func(b *broken) { b.del = b.reference.Clear },
	}}
}
