package storetest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/storetest"
)

// mapStore is the whole of a store: three methods.
type mapStore struct {
	mu      sync.Mutex
	entries map[string]cache.Entry
}

func (s *mapStore) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	if err := check(ctx, key, cache.Entry{}); err != nil {
		return cache.Entry{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[key]
	if !ok || e.Expired(time.Now()) {
		return cache.Entry{}, false, nil
	}
	return e, true, nil
}

func (s *mapStore) Set(ctx context.Context, key string, e cache.Entry) error {
	if err := check(ctx, key, e); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[key] = e
	return nil
}

func (s *mapStore) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key, cache.Entry{}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, key)
	return nil
}

func check(ctx context.Context, key string, e cache.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return cache.CheckEntry(key, e, cache.DefaultMaxValue)
}

func ExampleCheck() {
	store := &mapStore{entries: make(map[string]cache.Entry)}
	_, failed := storetest.Check(context.Background(), store, func(r storetest.Result) {
		if r.Err != nil {
			fmt.Printf("%s: %v\n  the contract: %s\n", r.Name, r.Err, r.Clause)
		}
	})
	fmt.Println(failed, "failed")
	// Output: 0 failed
}

func ExampleRun() {
	_ = func(t *testing.T) { // func TestMapStore(t *testing.T)
		storetest.Run(t, func(t *testing.T) cache.Store {
			return &mapStore{entries: make(map[string]cache.Entry)}
		})
	}
}
