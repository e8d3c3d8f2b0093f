package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// recorder is the store as a case sees it: it has every method of the
// contract, and keeps a log of the keys that are written and of the calls that
// are under way. Unlike the functions of package cache it never falls back.
type recorder struct {
	store cache.Store
	log   *callLog
}

// errNoMethod is what a recorder answers for an interface that the store
// behind it does not implement.
var errNoMethod = errors.New("the store does not implement it")

// as returns the store as the interface T, for the method that is named.
func as[T any](r *recorder, method string) (T, error) {
	s, ok := r.store.(T)
	if !ok {
		return s, fmt.Errorf("%s: %w", method, errNoMethod)
	}
	return s, nil
}

func (r *recorder) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	defer r.log.begin("Get")()
	return r.store.Get(ctx, key)
}

func (r *recorder) Set(ctx context.Context, key string, e cache.Entry) error {
	defer r.log.begin("Set", key)()
	return r.store.Set(ctx, key, e)
}

func (r *recorder) Delete(ctx context.Context, key string) error {
	defer r.log.begin("Delete")()
	return r.store.Delete(ctx, key)
}

func (r *recorder) GetMany(ctx context.Context, keys []string) ([]cache.Lookup, error) {
	s, err := as[cache.Batcher](r, "GetMany")
	if err != nil {
		return nil, err
	}
	defer r.log.begin("GetMany")()
	return s.GetMany(ctx, keys)
}

func (r *recorder) SetMany(ctx context.Context, items []cache.Item) error {
	s, err := as[cache.Batcher](r, "SetMany")
	if err != nil {
		return err
	}
	keys := make([]string, len(items))
	for i, it := range items {
		keys[i] = it.Key
	}
	defer r.log.begin("SetMany", keys...)()
	return s.SetMany(ctx, items)
}

func (r *recorder) DeleteMany(ctx context.Context, keys []string) error {
	s, err := as[cache.Batcher](r, "DeleteMany")
	if err != nil {
		return err
	}
	defer r.log.begin("DeleteMany")()
	return s.DeleteMany(ctx, keys)
}

func (r *recorder) SetIfAbsent(ctx context.Context, key string, e cache.Entry) (bool, error) {
	s, err := as[cache.Adder](r, "SetIfAbsent")
	if err != nil {
		return false, err
	}
	defer r.log.begin("SetIfAbsent", key)()
	return s.SetIfAbsent(ctx, key, e)
}

func (r *recorder) CompareAndSwap(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
	s, err := as[cache.Swapper](r, "CompareAndSwap")
	if err != nil {
		return false, err
	}
	defer r.log.begin("CompareAndSwap", key)()
	return s.CompareAndSwap(ctx, key, old, e)
}

func (r *recorder) CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error) {
	s, err := as[cache.Swapper](r, "CompareAndDelete")
	if err != nil {
		return false, err
	}
	defer r.log.begin("CompareAndDelete")()
	return s.CompareAndDelete(ctx, key, old)
}

func (r *recorder) Increment(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
	s, err := as[cache.Counter](r, "Increment")
	if err != nil {
		return 0, time.Time{}, err
	}
	defer r.log.begin("Increment", key)()
	return s.Increment(ctx, key, delta, expiresIfNew)
}

// Touch records the key: a store that is wrong about Touch may create it.
func (r *recorder) Touch(ctx context.Context, key string, expires time.Time) (bool, error) {
	s, err := as[cache.Toucher](r, "Touch")
	if err != nil {
		return false, err
	}
	defer r.log.begin("Touch", key)()
	return s.Touch(ctx, key, expires)
}

func (r *recorder) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		s, err := as[cache.Scanner](r, "Scan")
		if err != nil {
			yield("", err)
			return
		}
		defer r.log.begin("Scan")()
		for key, err := range s.Scan(ctx, prefix) {
			if !yield(key, err) {
				return
			}
		}
	}
}

func (r *recorder) Clear(ctx context.Context, prefix string) error {
	s, err := as[cache.Clearer](r, "Clear")
	if err != nil {
		return err
	}
	defer r.log.begin("Clear")()
	return s.Clear(ctx, prefix)
}

func (r *recorder) Watch(ctx context.Context) iter.Seq2[cache.Change, error] {
	return func(yield func(cache.Change, error) bool) {
		s, err := as[cache.Watcher](r, "Watch")
		if err != nil {
			yield(cache.Change{}, err)
			return
		}
		defer r.log.begin("Watch")()
		for c, err := range s.Watch(ctx) {
			if !yield(c, err) {
				return
			}
		}
	}
}

func (r *recorder) Flush(ctx context.Context) error {
	s, err := as[cache.Flusher](r, "Flush")
	if err != nil {
		return err
	}
	defer r.log.begin("Flush")()
	return s.Flush(ctx)
}
