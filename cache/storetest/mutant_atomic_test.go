package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func atomicMutants() []mutant {
	return []mutant{{
		"SetIfAbsent stores nothing", []string{"add/absent", "add/expired-is-absent", "atomic/add"},
		func(b *broken) {
			b.add = func(context.Context, string, cache.Entry) (bool, error) { return true, nil }
		},
	}, {
		"SetIfAbsent replaces", []string{"add/present", "atomic/add"},
		func(b *broken) {
			b.add = func(ctx context.Context, key string, e cache.Entry) (bool, error) {
				return true, b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"SetIfAbsent replaces, and reports that it did not", []string{"add/present"},
		func(b *broken) {
			b.add = func(ctx context.Context, key string, e cache.Entry) (bool, error) {
				_, found, _ := b.reference.Get(ctx, key)
				return !found, b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"SetIfAbsent takes an empty value for nothing", []string{"add/present"},
		func(b *broken) {
			b.add = func(ctx context.Context, key string, e cache.Entry) (bool, error) {
				if old, found, _ := b.reference.Get(ctx, key); found && len(old.Value) == 0 {
					return true, b.reference.Set(ctx, key, e)
				}
				return b.reference.SetIfAbsent(ctx, key, e)
			}
		},
	}, {
		"SetIfAbsent takes an expired entry for one", []string{"add/expired-is-absent"},
		func(b *broken) {
			b.add = func(ctx context.Context, key string, e cache.Entry) (bool, error) {
				if b.expired(key) {
					return false, nil
				}
				return b.reference.SetIfAbsent(ctx, key, e)
			}
		},
	}, {
		"SetIfAbsent drops the expiry", []string{"add/absent", "add/with-past-expiry"},
		func(b *broken) {
			b.add = func(ctx context.Context, key string, e cache.Entry) (bool, error) {
				return b.reference.SetIfAbsent(ctx, key, cache.Entry{Value: e.Value})
			}
		},
	}, {
		"CompareAndSwap matches what is absent with an empty old", []string{"swap/absent"},
		func(b *broken) {
			b.swap = func(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
				if _, found, _ := b.reference.Get(ctx, key); !found && len(old) == 0 {
					return true, b.reference.Set(ctx, key, e)
				}
				return b.reference.CompareAndSwap(ctx, key, old, e)
			}
		},
	}, {
		"CompareAndSwap compares numbers", []string{"swap/look-alikes"},
		func(b *broken) { b.comparing(sameNumber) },
	}, {
		"CompareAndSwap compares text without regard to case", []string{"swap/look-alikes"},
		func(b *broken) { b.comparing(func(is, old string) bool { return strings.EqualFold(is, old) }) },
	}, {
		"CompareAndSwap compares text as valid UTF-8", []string{"swap/look-alikes"},
		func(b *broken) {
			b.comparing(func(is, old string) bool {
				return strings.ToValidUTF8(is, "\ufffd") == strings.ToValidUTF8(old, "\ufffd")
			})
		},
	}, {
		"CompareAndSwap compares JSON", []string{"swap/look-alikes"},
		func(b *broken) { b.comparing(sameJSON) },
	}, {
		"CompareAndSwap matches an expired entry", []string{"swap/absent"},
		func(b *broken) {
			b.swap = func(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
				if b.expired(key) {
					return true, b.reference.Set(ctx, key, e)
				}
				return b.reference.CompareAndSwap(ctx, key, old, e)
			}
		},
	}, {
		"CompareAndSwap compares only the length", []string{"swap/mismatch"},
		func(b *broken) {
			b.swap = func(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
				if now, found, _ := b.reference.Get(ctx, key); found && len(now.Value) == len(old) {
					return true, b.reference.Set(ctx, key, e)
				}
				return false, nil
			}
		},
	}, {
		"CompareAndSwap never matches an empty old", []string{"swap/match"},
		func(b *broken) {
			b.swap = func(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
				if len(old) == 0 {
					return false, nil
				}
				return b.reference.CompareAndSwap(ctx, key, old, e)
			}
		},
	}, {
		"CompareAndSwap keeps the expiry before it", []string{"swap/match", "swap/with-past-expiry"},
		func(b *broken) {
			b.swap = func(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
				now, _, _ := b.reference.Get(ctx, key)
				return b.reference.CompareAndSwap(ctx, key, old, cache.Entry{Value: e.Value, Expires: now.Expires})
			}
		},
	}, {
		"CompareAndDelete deletes whatever is there", []string{"swap/delete-mismatch"},
		func(b *broken) {
			b.swapDel = func(ctx context.Context, key string, _ []byte) (bool, error) {
				_, found, err := b.reference.Get(ctx, key)
				b.reference.Delete(ctx, key)
				return found, err
			}
		},
	}, {
		"CompareAndDelete compares a prefix", []string{"swap/delete-mismatch"},
		func(b *broken) {
			b.swapDel = func(ctx context.Context, key string, old []byte) (bool, error) {
				now, found, err := b.reference.Get(ctx, key)
				if !found || !bytes.HasPrefix(now.Value, old) {
					return false, err
				}
				return true, b.reference.Delete(ctx, key)
			}
		},
	}, {
		"CompareAndDelete reports what it does not do", []string{"swap/delete-match"},
		func(b *broken) {
			b.swapDel = func(ctx context.Context, key string, old []byte) (bool, error) {
				now, found, err := b.reference.Get(ctx, key)
				return found && bytes.Equal(now.Value, old), err
			}
		},
	}, {
		"Touch does nothing", []string{"touch/changes-expiry", "touch/extends", "touch/shortens", "touch/past-removes"},
		func(b *broken) {
			b.touch = func(ctx context.Context, key string, _ time.Time) (bool, error) {
				_, found, err := b.reference.Get(ctx, key)
				return found, err
			}
		},
	}, {
		"Touch only prolongs", []string{"touch/changes-expiry", "touch/shortens"},
		func(b *broken) {
			b.touch = func(ctx context.Context, key string, expires time.Time) (bool, error) {
				e, found, err := b.reference.Get(ctx, key)
				if !found || !expires.IsZero() && (e.Expires.IsZero() || e.Expires.After(expires)) {
					return found, err
				}
				return b.reference.Touch(ctx, key, expires)
			}
		},
	}, {
		"Touch of what is missing creates it", []string{"touch/missing"},
		func(b *broken) {
			b.touch = func(ctx context.Context, key string, expires time.Time) (bool, error) {
				found, err := b.reference.Touch(ctx, key, expires)
				if err == nil && !found {
					err = b.reference.Set(ctx, key, cache.Entry{Expires: expires})
				}
				return found, err
			}
		},
	}, {
		"Touch revives an expired entry", []string{"touch/missing"},
		func(b *broken) {
			b.touch = func(ctx context.Context, key string, expires time.Time) (bool, error) {
				b.mu.Lock()
				defer b.mu.Unlock()
				e, ok := b.entries[key]
				if ok {
					b.store(key, cache.Entry{Value: e.Value, Expires: expires})
				}
				return ok, ctx.Err()
			}
		},
	}, {
		"Touch of the past does nothing", []string{"touch/past-removes"},
		func(b *broken) {
			b.touch = func(ctx context.Context, key string, expires time.Time) (bool, error) {
				if !expires.IsZero() && expires.Before(time.Now()) {
					_, found, err := b.reference.Get(ctx, key)
					return found, err
				}
				return b.reference.Touch(ctx, key, expires)
			}
		},
	}}
}

// comparing makes CompareAndSwap compare otherwise than byte by byte.
func (b *broken) comparing(same func(is, old string) bool) {
	b.swap = func(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
		now, found, err := b.reference.Get(ctx, key)
		if !found || err != nil || !same(string(now.Value), string(old)) {
			return false, err
		}
		return b.reference.CompareAndSwap(ctx, key, now.Value, e)
	}
}

func sameNumber(is, old string) bool {
	x, err := strconv.ParseFloat(is, 64)
	y, err2 := strconv.ParseFloat(old, 64)
	return is == old || err == nil && err2 == nil && x == y
}

func sameJSON(is, old string) bool {
	var x, y any
	return is == old || json.Unmarshal([]byte(is), &x) == nil && json.Unmarshal([]byte(old), &y) == nil && reflect.DeepEqual(x, y)
}

// expired reports whether key holds an entry that is past its expiry.
func (b *broken) expired(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.entries[key]
	return ok && e.Expired(time.Now())
}
