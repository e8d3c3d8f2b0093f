package storetest

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// reference is a store that is right: a map and a mutex. It has every
// capability.
type reference struct {
	mu       sync.Mutex
	entries  map[string]cache.Entry
	maxValue int
}

func newReference() *reference {
	return &reference{entries: make(map[string]cache.Entry), maxValue: 6 << 20}
}

// lookup returns what key holds now. The caller holds mu.
func (r *reference) lookup(key string) (cache.Entry, bool) {
	e, ok := r.entries[key]
	if !ok || e.Expired(time.Now()) {
		return cache.Entry{}, false
	}
	return e, true
}

// store replaces what key holds. The caller holds mu.
func (r *reference) store(key string, e cache.Entry) {
	if e.Expired(time.Now()) {
		delete(r.entries, key)
		return
	}
	r.entries[key] = e
}

// admit checks a call and locks.
func (r *reference) admit(ctx context.Context, key string, e cache.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := cache.CheckEntry(key, e, r.maxValue); err != nil {
		return err
	}
	r.mu.Lock()
	return nil
}

func (r *reference) Limits() cache.Limits { return cache.Limits{MaxValue: r.maxValue} }

func (r *reference) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	if err := r.admit(ctx, key, cache.Entry{}); err != nil {
		return cache.Entry{}, false, err
	}
	defer r.mu.Unlock()
	e, ok := r.lookup(key)
	return e, ok, nil
}

func (r *reference) Set(ctx context.Context, key string, e cache.Entry) error {
	if err := r.admit(ctx, key, e); err != nil {
		return err
	}
	defer r.mu.Unlock()
	r.store(key, e)
	return nil
}

func (r *reference) Delete(ctx context.Context, key string) error {
	if err := r.admit(ctx, key, cache.Entry{}); err != nil {
		return err
	}
	defer r.mu.Unlock()
	delete(r.entries, key)
	return nil
}

func (r *reference) GetMany(ctx context.Context, keys []string) ([]cache.Lookup, error) {
	found := make([]cache.Lookup, len(keys))
	for i, key := range keys {
		e, ok, err := r.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		found[i] = cache.Lookup{Entry: e, Found: ok}
	}
	return found, nil
}

func (r *reference) SetMany(ctx context.Context, items []cache.Item) error {
	for _, it := range items {
		if err := r.Set(ctx, it.Key, it.Entry); err != nil {
			return err
		}
	}
	return nil
}

func (r *reference) DeleteMany(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := r.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (r *reference) SetIfAbsent(ctx context.Context, key string, e cache.Entry) (bool, error) {
	if err := r.admit(ctx, key, e); err != nil {
		return false, err
	}
	defer r.mu.Unlock()
	if _, ok := r.lookup(key); ok {
		return false, nil
	}
	r.store(key, e)
	return true, nil
}

func (r *reference) CompareAndSwap(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
	if err := r.admit(ctx, key, e); err != nil {
		return false, err
	}
	defer r.mu.Unlock()
	if now, ok := r.lookup(key); !ok || !bytes.Equal(now.Value, old) {
		return false, nil
	}
	r.store(key, e)
	return true, nil
}

func (r *reference) CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error) {
	if err := r.admit(ctx, key, cache.Entry{}); err != nil {
		return false, err
	}
	defer r.mu.Unlock()
	if now, ok := r.lookup(key); !ok || !bytes.Equal(now.Value, old) {
		return false, nil
	}
	delete(r.entries, key)
	return true, nil
}

func (r *reference) Increment(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
	if err := r.admit(ctx, key, cache.Entry{}); err != nil {
		return 0, time.Time{}, err
	}
	defer r.mu.Unlock()
	e, ok := r.lookup(key)
	if !ok {
		e = cache.Entry{Value: []byte("0"), Expires: expiresIfNew}
	}
	text, n, err := cache.Add(e.Value, delta)
	if err != nil {
		return 0, time.Time{}, err
	}
	r.store(key, cache.Entry{Value: text, Expires: e.Expires})
	return n, e.Expires, nil
}

func (r *reference) Touch(ctx context.Context, key string, expires time.Time) (bool, error) {
	if err := r.admit(ctx, key, cache.Entry{}); err != nil {
		return false, err
	}
	defer r.mu.Unlock()
	e, ok := r.lookup(key)
	if ok {
		r.store(key, cache.Entry{Value: e.Value, Expires: expires})
	}
	return ok, nil
}

func (r *reference) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		r.mu.Lock()
		keys := slices.Collect(maps.Keys(r.entries))
		r.mu.Unlock()
		for _, key := range keys {
			if err := ctx.Err(); err != nil {
				yield("", err)
				return
			}
			r.mu.Lock()
			_, ok := r.lookup(key)
			r.mu.Unlock()
			if ok && strings.HasPrefix(key, prefix) && !yield(key, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield("", err)
		}
	}
}

func (r *reference) Clear(ctx context.Context, prefix string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.entries, func(key string, _ cache.Entry) bool { return strings.HasPrefix(key, prefix) })
	return nil
}

// Watch has nothing to tell: nobody else has the map.
func (r *reference) Watch(ctx context.Context) iter.Seq2[cache.Change, error] {
	return func(yield func(cache.Change, error) bool) {
		if ctx.Err() == nil && !yield(cache.Change{All: true}, nil) {
			return
		}
		<-ctx.Done()
		yield(cache.Change{}, ctx.Err())
	}
}

func (r *reference) Flush(ctx context.Context) error { return ctx.Err() }

// smallest shows three methods of a reference and nothing else.
type smallest struct{ r *reference }

func newSmallest() smallest {
	r := newReference()
	r.maxValue = cache.DefaultMaxValue
	return smallest{r}
}

func (s smallest) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	return s.r.Get(ctx, key)
}
func (s smallest) Set(ctx context.Context, key string, e cache.Entry) error {
	return s.r.Set(ctx, key, e)
}
func (s smallest) Delete(ctx context.Context, key string) error { return s.r.Delete(ctx, key) }

var (
	_ cache.Store   = smallest{}
	_ cache.Store   = (*reference)(nil)
	_ cache.Batcher = (*reference)(nil)
	_ cache.Adder   = (*reference)(nil)
	_ cache.Swapper = (*reference)(nil)
	_ cache.Counter = (*reference)(nil)
	_ cache.Toucher = (*reference)(nil)
	_ cache.Scanner = (*reference)(nil)
	_ cache.Clearer = (*reference)(nil)
	_ cache.Watcher = (*reference)(nil)
	_ cache.Flusher = (*reference)(nil)
	_ cache.Limiter = (*reference)(nil)
)
