package main

import (
	"context"
	"fmt"
)

const (
	subjectHarpia  = "harpia"
	subjectUnary   = "harpia-unary"
	subjectRueidis = "rueidis+redis/unix"
	subjectGoRedis = "go-redis+redis/unix"
	subjectRaw     = "raw"
)

// keyValue is a store as the bench sees one. get returns the length of what it
// got, and an error if there is nothing.
type keyValue interface {
	get(ctx context.Context, key string) (int, error)
	set(ctx context.Context, key string, value []byte) error
	fill(ctx context.Context, keys []string, value []byte) error
}

// pluginGroups compare a store in another process: nine in ten operations
// read.
func pluginGroups() []group {
	return []group{
		{name: "plugin-mixed", callers: []int{1, 8, 64, 256},
			open: func(s *site) ([]subject, error) { return openRemotes(s, 1000, 128, false) }},
		{name: "plugin-large", variant: "64KiB", callers: []int{1, 8}, unit: "MB/s",
			open: func(s *site) ([]subject, error) { return openRemotes(s, 256, 64<<10, true) }},
		{name: "plugin-large", variant: "4MiB", callers: []int{1, 8}, unit: "MB/s",
			open: func(s *site) ([]subject, error) { return openRemotes(s, 8, 4<<20, true) }},
	}
}

func openRemotes(s *site, keys, size int, large bool) ([]subject, error) {
	lane, err := s.openPlugin(memoryPlugin, "")
	if err != nil {
		return nil, err
	}
	unary, err := s.openPlugin(memoryPlugin, "", withoutLane)
	if err != nil {
		return nil, err
	}
	socket, err := s.redisServer()
	if err != nil {
		return nil, err
	}
	rueidis, err := s.openRueidis(socket, false)
	if err != nil {
		return nil, err
	}
	raw, err := s.openRaw(size)
	if err != nil {
		return nil, err
	}
	names, value := names("key:", keys), make([]byte, size)
	trace := uniform(names, 1<<14)
	var subjects []subject
	for _, remote := range []struct {
		name  string
		store keyValue
	}{
		{subjectHarpia, harpiaStore{lane}},
		{subjectUnary, harpiaStore{unary}},
		{subjectRueidis, rueidis},
		{subjectGoRedis, s.openGoRedis(socket)},
	} {
		if err := remote.store.fill(context.Background(), names, value); err != nil {
			return nil, fmt.Errorf("%s: %w", remote.name, err)
		}
		subjects = append(subjects, subject{remote.name, mixed(remote.store, trace, value).run})
	}
	limit := raw.pipelined
	if large {
		limit = raw.apart(size)
	}
	return append(subjects, subject{subjectRaw, limit}), nil
}

// mixed reads, and in one operation of ten writes.
func mixed(store keyValue, trace []string, value []byte) load {
	ctx := context.Background()
	return load{bytes: len(value), op: func(caller, i int) error {
		key := trace[place(trace, caller, i)]
		if isSet(caller, i) {
			return store.set(ctx, key, value)
		}
		n, err := store.get(ctx, key)
		if err == nil && n != len(value) {
			err = fmt.Errorf("key %q has %d bytes", key, n)
		}
		return err
	}}
}
