package storetest

import (
	"bytes"
	"context"
	"iter"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// pause lets the other callers in, where a fault leaves a gap between two
// steps.
func pause() {
	for range 20 {
		runtime.Gosched()
	}
}

func concurrencyMutants() []mutant {
	return []mutant{{
		"writes are done later", []string{"concurrency/own-keys", "concurrency/no-stale-read"},
		func(b *broken) {
			// One goroutine at a time, in order: only the acknowledgement is early.
			var mu sync.Mutex
			var queue []func()
			later := func(f func()) {
				mu.Lock()
				defer mu.Unlock()
				if queue = append(queue, f); len(queue) > 1 {
					queue[0]()
					queue = queue[1:]
				}
			}
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				later(func() { b.reference.Set(context.WithoutCancel(ctx), key, e) })
				return nil
			}
			b.del = func(ctx context.Context, key string) error {
				later(func() { b.reference.Delete(context.WithoutCancel(ctx), key) })
				return nil
			}
		},
	}, {
		"a copy nearby is filled after a write", []string{"concurrency/no-stale-read"},
		func(b *broken) {
			var near sync.Map
			b.get = func(ctx context.Context, key string) (cache.Entry, bool, error) {
				if e, ok := near.Load(key); ok {
					return e.(cache.Entry), true, nil
				}
				e, ok, err := b.reference.Get(ctx, key)
				if pause(); ok {
					near.Store(key, e)
				}
				return e, ok, err
			}
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				err := b.reference.Set(ctx, key, e)
				near.Delete(key)
				return err
			}
			b.del = func(ctx context.Context, key string) error {
				err := b.reference.Delete(ctx, key)
				near.Delete(key)
				return err
			}
		},
	}, {
		"a Set is in two parts", []string{"concurrency/one-key"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				half := bytes.Clone(e.Value)
				clear(half[len(half)/2:])
				if err := b.reference.Set(ctx, key, cache.Entry{Value: half}); err != nil {
					return err
				}
				pause()
				return b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"a Set deletes first", []string{"concurrency/no-stale-read"},
		func(b *broken) {
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				if err := b.reference.Delete(ctx, key); err != nil {
					return err
				}
				pause()
				return b.reference.Set(ctx, key, e)
			}
		},
	}}
}

// raceMutants leave a gap between the reading and the writing of an operation.
func raceMutants(gap func()) []mutant {
	return []mutant{{
		"SetIfAbsent is Get and Set", []string{"atomic/add"},
		func(b *broken) {
			b.add = func(ctx context.Context, key string, e cache.Entry) (bool, error) {
				if _, found, err := b.reference.Get(ctx, key); found || err != nil {
					return false, err
				}
				gap()
				return true, b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"CompareAndSwap is Get and Set", []string{"atomic/swap"},
		func(b *broken) {
			b.swap = func(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
				now, found, err := b.reference.Get(ctx, key)
				if !found || !bytes.Equal(now.Value, old) || err != nil {
					return false, err
				}
				gap()
				return true, b.reference.Set(ctx, key, e)
			}
		},
	}, {
		"CompareAndDelete is Get and Delete", []string{"atomic/delete"},
		func(b *broken) {
			b.swapDel = func(ctx context.Context, key string, old []byte) (bool, error) {
				now, found, err := b.reference.Get(ctx, key)
				if !found || !bytes.Equal(now.Value, old) || err != nil {
					return false, err
				}
				gap()
				return true, b.reference.Delete(ctx, key)
			}
		},
	}, {
		"Increment is Get and Set", []string{"atomic/count"},
		func(b *broken) {
			b.increment = func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
				e, found, err := b.reference.Get(ctx, key)
				if err != nil {
					return 0, time.Time{}, err
				}
				if !found {
					e = cache.Entry{Value: []byte("0"), Expires: expiresIfNew}
				}
				text, n, err := cache.Add(e.Value, delta)
				if err != nil {
					return 0, time.Time{}, err
				}
				gap()
				return n, e.Expires, b.reference.Set(ctx, key, cache.Entry{Value: text, Expires: e.Expires})
			}
		},
	}, {
		"Touch is Get and Set", []string{"atomic/touch"},
		func(b *broken) {
			b.touch = func(ctx context.Context, key string, expires time.Time) (bool, error) {
				e, found, err := b.reference.Get(ctx, key)
				if !found || err != nil {
					return false, err
				}
				gap()
				return true, b.reference.Set(ctx, key, cache.Entry{Value: e.Value, Expires: expires})
			}
		},
	}}
}

// A gap of five microseconds is found each time.
func TestRacesAreFound(t *testing.T) {
	for _, m := range raceMutants(func() { linger(5) }) {
		for range 5 {
			b := newBroken()
			m.make(b)
			s := newSuite(b, timeout)
			i := slices.IndexFunc(s.cases(), func(c Case) bool { return c.Name == m.cases[0] })
			if r := s.check(t.Context(), s.cases()[i]); r.Err == nil {
				t.Errorf("%s passes though %s, five microseconds apart", m.cases[0], m.fault)
			}
		}
	}
}

func watchMutants() []mutant {
	watching := func(watch func(ctx context.Context, yield func(cache.Change, error) bool)) func(*broken) {
		return func(b *broken) {
			b.watch = func(ctx context.Context) iter.Seq2[cache.Change, error] {
				return func(yield func(cache.Change, error) bool) { watch(ctx, yield) }
			}
		}
	}
	return []mutant{{
		"Watch begins with a key", []string{"watch/first"},
		watching(func(ctx context.Context, yield func(cache.Change, error) bool) { yield(cache.Change{Key: "k"}, nil) }),
	}, {
		"Watch ends of itself", []string{"watch/first", "watch/context-ends"},
		watching(func(context.Context, func(cache.Change, error) bool) {}),
	}, {
		"Watch ends with an error of its own", []string{"watch/context-ends"},
		watching(func(ctx context.Context, yield func(cache.Change, error) bool) {
			if yield(cache.Change{All: true}, nil) {
				<-ctx.Done()
				yield(cache.Change{}, cache.ErrUnavailable)
			}
		}),
	}, {
		"Watch tells of one's own changes", []string{"watch/own"},
		func(b *broken) {
			changes := make(chan string, 16)
			b.set = func(ctx context.Context, key string, e cache.Entry) error {
				changes <- key
				return b.reference.Set(ctx, key, e)
			}
			b.watch = func(ctx context.Context) iter.Seq2[cache.Change, error] {
				return func(yield func(cache.Change, error) bool) {
					for change := (cache.Change{All: true}); yield(change, nil); {
						select {
						case key := <-changes:
							change = cache.Change{Key: key}
						case <-ctx.Done():
							return
						}
					}
				}
			}
		},
	}}
}
