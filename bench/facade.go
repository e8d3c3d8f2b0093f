package main

import (
	"context"
	"fmt"
	"runtime"

	ristretto "github.com/dgraph-io/ristretto"
	gocache "github.com/eko/gocache/lib/v4/cache"
	"github.com/eko/gocache/lib/v4/marshaler"
	ristrettostore "github.com/eko/gocache/store/ristretto/v4"
	"github.com/maypok86/otter/v2"

	"github.com/harpia-go/harpia/cache"
)

// user is what a program caches.
type user struct {
	ID    int64
	Name  string
	Email string
	Roles []string
	Admin bool
}

const users = 10_000

// facadeGroups compare what a program sees: a struct under a key, in memory.
// harpia and gocache keep bytes, and encode and decode; otter keeps the struct
// itself, so its users share what they got.
func facadeGroups() []group {
	return []group{{name: "facade-get", callers: []int{runtime.GOMAXPROCS(0)}, open: openFacades}}
}

func openFacades(s *site) ([]subject, error) {
	keys := names("user:", users)
	trace := zipf(keys, 1<<16)
	var subjects []subject
	for _, f := range []struct {
		name string
		open func(s *site, keys []string) (func(key string) error, error)
	}{
		{subjectHarpia, harpiaFacade(nil)},
		{"harpia-cbor", harpiaFacade(cache.CBOR{})},
		{"gocache+ristretto", openGocache},
		{"otter", openOtterStructs},
	} {
		get, err := f.open(s, keys)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		const batch = 10
		subjects = append(subjects, subject{f.name, load{batch: batch, op: func(caller, i int) error {
			for n := range batch {
				if err := get(trace[place(trace, caller, i*batch+n)]); err != nil {
					return err
				}
			}
			return nil
		}}.run})
	}
	return subjects, nil
}

func newUser(i int) user {
	return user{ID: int64(i), Name: fmt.Sprintf("User %d", i), Email: fmt.Sprintf("user%d@example.com", i), Roles: []string{"reader", "writer"}}
}

// harpiaFacade is a Cache with a codec, JSON if it is nil.
func harpiaFacade(codec cache.Codec) func(*site, []string) (func(string) error, error) {
	return func(s *site, keys []string) (func(string) error, error) {
		ctx := context.Background()
		c, err := cache.New[user](cache.Options{Codec: codec})
		if err != nil {
			return nil, err
		}
		s.atEnd(c.Close)
		for i, key := range keys {
			if err := c.Set(ctx, key, newUser(i)); err != nil {
				return nil, err
			}
		}
		return func(key string) error {
			_, ok, err := c.Get(ctx, key)
			if err == nil && !ok {
				err = errMissing(key)
			}
			return err
		}, nil
	}
}

// openGocache takes the store of gocache's own that goes with ristretto.
func openGocache(s *site, keys []string) (func(string) error, error) {
	ctx := context.Background()
	client, err := ristretto.NewCache(&ristretto.Config{NumCounters: 10 * users, MaxCost: 1 << 30, BufferItems: 64})
	if err != nil {
		return nil, err
	}
	s.atEnd(func() error { client.Close(); return nil })
	c := marshaler.New(gocache.New[any](ristrettostore.NewRistretto(client)))
	for i, key := range keys {
		if err := c.Set(ctx, key, newUser(i)); err != nil {
			return nil, err
		}
		client.Wait()
	}
	return func(key string) error {
		_, err := c.Get(ctx, key, new(user))
		return err
	}, nil
}

func openOtterStructs(s *site, keys []string) (func(string) error, error) {
	c, err := otter.New(&otter.Options[string, user]{MaximumSize: 2 * users})
	if err != nil {
		return nil, err
	}
	s.atEnd(func() error { c.StopAllGoroutines(); return nil })
	for i, key := range keys {
		c.Set(key, newUser(i))
	}
	return func(key string) error {
		if _, ok := c.GetIfPresent(key); !ok {
			return errMissing(key)
		}
		return nil
	}, nil
}
