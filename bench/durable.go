package main

import (
	"context"

	"github.com/harpia-go/harpia/cache"
)

// durableGroups compare stores that keep their data on disk. durable-set
// "always" acknowledges what is on stable storage; "relaxed" what will be
// within 100 ms, with the file plugin, or a second, with Redis.
func durableGroups() []group {
	return []group{
		{name: "durable-set", variant: "relaxed", callers: []int{1, 16, 64},
			open: func(s *site) ([]subject, error) { return openDurable(s, "interval", "everysec") }},
		{name: "durable-set", variant: "always", callers: []int{1, 16, 64},
			open: func(s *site) ([]subject, error) { return openDurable(s, "always", "always") }},
		{name: "durable-get", callers: []int{1, 64}, open: openOnDisk},
	}
}

func openDurable(s *site, harpiaSync, redisSync string) ([]subject, error) {
	dir, err := s.newDir("file")
	if err != nil {
		return nil, err
	}
	file, err := s.openPlugin(filePlugin, "?dir="+dir+"&sync="+harpiaSync)
	if err != nil {
		return nil, err
	}
	socket, err := s.redisServer("--appendonly", "yes", "--appendfsync", redisSync)
	if err != nil {
		return nil, err
	}
	rueidis, err := s.openRueidis(socket, false)
	if err != nil {
		return nil, err
	}
	trace, value := uniform(names("key:", 100_000), 1<<17), make([]byte, 128)
	return []subject{
		{subjectHarpia, writing(harpiaStore{file}, trace, value).run},
		{subjectRueidis, writing(rueidis, trace, value).run},
	}, nil
}

func writing(store keyValue, trace []string, value []byte) load {
	ctx := context.Background()
	return load{op: func(caller, i int) error {
		return store.set(ctx, trace[place(trace, caller, i)], value)
	}}
}

// openOnDisk holds a million keys on disk, a tenth with -quick, and the same
// in the memory of Redis.
func openOnDisk(s *site) ([]subject, error) {
	n := 1_000_000
	if s.quick {
		n = 100_000
	}
	keys, value := names("key:", n), make([]byte, 128)
	dir, err := s.newDir("file")
	if err != nil {
		return nil, err
	}
	file, err := s.openPlugin(filePlugin, "?dir="+dir)
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
	trace := zipf(keys, 1<<18)
	var subjects []subject
	for _, sub := range []struct {
		name  string
		store keyValue
	}{{subjectHarpia, harpiaStore{file}}, {subjectRueidis, rueidis}} {
		if err := sub.store.fill(s.ctx, keys, value); err != nil {
			return nil, err
		}
		subjects = append(subjects, subject{sub.name, fetching(sub.store, trace).run})
	}
	return subjects, cache.Flush(s.ctx, file)
}

func fetching(store keyValue, trace []string) load {
	ctx := context.Background()
	return load{op: func(caller, i int) error {
		_, err := store.get(ctx, trace[place(trace, caller, i)])
		return err
	}}
}
