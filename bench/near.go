package main

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/harpia-go/harpia/cache"
)

// nearGroups compare reads that a copy in this process answers: all hit.
func nearGroups() []group {
	return []group{{name: "near-get", callers: []int{runtime.GOMAXPROCS(0)}, open: openNear}}
}

func openNear(s *site) ([]subject, error) {
	const keyCount = memoryEntries
	keys, value := names("user:", keyCount), make([]byte, 128)
	trace := zipf(keys, 1<<18)
	memory, err := newHarpiaMemory(2 * keyCount)
	if err != nil {
		return nil, err
	}
	s.atEnd(func() error { memory.close(); return nil })
	fillMemory(memory, keys, value)
	near, err := openNearStore(s, keys, value)
	if err != nil {
		return nil, err
	}
	socket, err := s.redisServer()
	if err != nil {
		return nil, err
	}
	redis, err := s.openRueidis(socket, true)
	if err != nil {
		return nil, err
	}
	if err := redis.fill(s.ctx, keys, value); err != nil {
		return nil, err
	}
	cached := cachedRedis{redis}
	if err := cached.warm(s.ctx, keys); err != nil {
		return nil, err
	}
	return []subject{
		{"harpia-near", reading(near, trace).run},
		{subjectMemory, reading(memory, trace).run},
		{"rueidis-client-side", reading(cached, trace).run},
	}, nil
}

// openNearStore opens a Near over the memory plugin. What is set through it is
// copied, so that all reads hit.
func openNearStore(s *site, keys []string, value []byte) (harpiaMemory, error) {
	plugin, err := s.openPlugin(memoryPlugin, "")
	if err != nil {
		return harpiaMemory{}, err
	}
	near, err := cache.NewNear(plugin, cache.NearOptions{})
	if err != nil {
		return harpiaMemory{}, err
	}
	s.atEnd(near.Close)
	return harpiaMemory{context.Background(), near}, harpiaStore{near}.fill(s.ctx, keys, value)
}

// reading is the load of memory-get.
func reading(c getter, trace []string) load {
	return load{batch: memoryBatch, op: func(caller, i int) error {
		at := place(trace, caller, i*memoryBatch)
		for n := range memoryBatch {
			if key := trace[(at+n)&(len(trace)-1)]; !c.get(key) {
				return errMissing(key)
			}
		}
		return nil
	}}
}

type getter interface{ get(key string) bool }

// cachedRedis reads through rueidis's own cache.
type cachedRedis struct{ rueidisStore }

func (c cachedRedis) get(key string) bool {
	_, err := c.rueidisStore.get(context.Background(), key)
	return err == nil
}

// warm reads all keys once, so that the copies are there.
func (c cachedRedis) warm(ctx context.Context, keys []string) error {
	var group errgroup.Group
	group.SetLimit(64)
	for _, key := range keys {
		group.Go(func() error { _, err := c.rueidisStore.get(ctx, key); return err })
	}
	return group.Wait()
}
