package main

import (
	"context"
	"fmt"
	"net/url"
	"runtime"
	"time"

	"github.com/harpia-go/harpia/cache"
)

const (
	subjectRedis     = "harpia-redis"
	subjectRedisNear = "harpia-redis-near"
	subjectMemory    = "harpia-memory"
)

// redisKeys is how many keys the Redis plugin is measured with, of 128-byte
// values.
const redisKeys = 1000

// redisGroups compare a store in Redis with Redis itself, and the copies that
// a host has of it with memory that never was anywhere else.
func redisGroups() []group {
	return []group{
		{name: "plugin-redis", callers: []int{1, 8, 64}, open: openRedis},
		{name: "plugin-redis", variant: "near", callers: []int{runtime.GOMAXPROCS(0)}, open: openRedisNear},
	}
}

// openRedis has both subjects use one server, in turns, and the load of
// plugin-mixed.
func openRedis(s *site) ([]subject, error) {
	store, socket, err := s.openRedisPlugin()
	if err != nil {
		return nil, err
	}
	rueidis, err := s.openRueidis(socket, false)
	if err != nil {
		return nil, err
	}
	keys, value := names("key:", redisKeys), make([]byte, 128)
	if err := rueidis.fill(s.ctx, keys, value); err != nil {
		return nil, err
	}
	trace := uniform(keys, 1<<14)
	return []subject{
		{subjectRedis, mixed(harpiaStore{store}, trace, value).run},
		{subjectRueidis, mixed(rueidis, trace, value).run},
	}, nil
}

// openRedisPlugin opens a store on the Redis plugin and a server of its own, and
// returns the server's socket too.
func (s *site) openRedisPlugin() (store cache.Store, socket string, err error) {
	if socket, err = s.redisServer(); err != nil {
		return nil, "", err
	}
	store, err = s.openPlugin(redisPlugin, "?url="+url.QueryEscape("redis+unix://"+socket))
	return store, socket, err
}

// openRedisNear has both read all keys, of which all are there.
func openRedisNear(s *site) ([]subject, error) {
	store, _, err := s.openRedisPlugin()
	if err != nil {
		return nil, err
	}
	near, err := cache.NewNear(store, cache.NearOptions{})
	if err != nil {
		return nil, err
	}
	s.atEnd(near.Close)
	memory, err := newHarpiaMemory(2 * redisKeys)
	if err != nil {
		return nil, err
	}
	s.atEnd(func() error { memory.close(); return nil })
	keys, value := names("key:", redisKeys), make([]byte, 128)
	fillMemory(memory, keys, value)
	if err := (harpiaStore{store}).fill(s.ctx, keys, value); err != nil {
		return nil, err
	}
	if err := copyAll(s.ctx, near, keys); err != nil {
		return nil, err
	}
	trace := uniform(keys, 1<<14)
	return []subject{
		{subjectRedisNear, reading(harpiaMemory{s.ctx, near}, trace).run},
		{subjectMemory, reading(memory, trace).run},
	}, nil
}

// copyAll reads until there are copies of all keys: none is made before the
// server has begun to tell of changes.
func copyAll(ctx context.Context, near *cache.Near, keys []string) error {
	const patience = 10 * time.Second
	for end := time.Now().Add(patience); near.Stats().Entries < len(keys); {
		if time.Now().After(end) {
			return fmt.Errorf("after %v there are copies of %d of %d keys", patience, near.Stats().Entries, len(keys))
		}
		for _, key := range keys {
			if _, _, err := near.Get(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}
