package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

// withoutLane has the store speak unary gRPC only.
func withoutLane(o *pluginstore.Options) { o.NoLane = true }

// openPlugin builds a plugin and opens a store on it, as a host does: mutual
// TLS, a verified program, a supervised process. change may alter the options.
func (s *site) openPlugin(pkg, settings string, change ...func(*pluginstore.Options)) (*pluginstore.Store, error) {
	path, err := s.program(pkg)
	if err != nil {
		return nil, err
	}
	o := &pluginstore.Options{Locks: []string{s.lock()}, Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(o)
	}
	store, err := pluginstore.Open(s.ctx, path+settings, o)
	if err != nil {
		return nil, err
	}
	s.atEnd(store.Close)
	return store, nil
}

// harpiaStore is a cache.Store as the bench sees one.
type harpiaStore struct{ cache.Store }

func (h harpiaStore) get(ctx context.Context, key string) (int, error) {
	e, ok, err := h.Get(ctx, key)
	if err == nil && !ok {
		err = errMissing(key)
	}
	return len(e.Value), err
}

func (h harpiaStore) set(ctx context.Context, key string, value []byte) error {
	return h.Set(ctx, key, cache.Entry{Value: value})
}

func (h harpiaStore) fill(ctx context.Context, keys []string, value []byte) error {
	const batch = 1000
	for len(keys) > 0 {
		n := min(batch, len(keys))
		items := make([]cache.Item, n)
		for i, key := range keys[:n] {
			items[i] = cache.Item{Key: key, Entry: cache.Entry{Value: value}}
		}
		if err := cache.SetMany(ctx, h.Store, items); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// errMissing is the answer of a store that has lost what it was given: its
// figures would be those of misses.
func errMissing(key string) error { return fmt.Errorf("key %q is missing", key) }
