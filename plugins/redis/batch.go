package main

import (
	"context"
	"slices"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
)

// GetMany implements cache.Batcher.
func (s *Store) GetMany(ctx context.Context, keys []string) (found []cache.Lookup, err error) {
	full, err := s.full(keys)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	err = s.read(ctx, "", func(ctx context.Context, to *session) (err error) {
		found, err = to.lookUp(ctx, full)
		return err
	})
	return found, err
}

// SetMany implements cache.Batcher. One pipeline keeps the order; in a cluster
// there is one for each node, and a key has one node.
func (s *Store) SetMany(ctx context.Context, items []cache.Item) error {
	size := 0
	for i := range items {
		if err := check(items[i].Key, items[i].Entry); err != nil {
			return err
		}
		size += len(items[i].Entry.Value)
	}
	if len(items) == 0 {
		return nil
	}
	return s.do(ctx, "", size, func(ctx context.Context, to *session) error {
		commands := make(rueidis.Commands, len(items))
		for i := range items {
			commands[i] = set(to.client.B(), s.prefix+items[i].Key, items[i].Entry)
		}
		return to.all(ctx, commands)
	})
}

// DeleteMany implements cache.Batcher.
func (s *Store) DeleteMany(ctx context.Context, keys []string) error {
	full, err := s.full(keys)
	if err != nil || len(keys) == 0 {
		return err
	}
	return s.do(ctx, "", 0, func(ctx context.Context, to *session) error { return to.unlink(ctx, full) })
}

// unlink removes keys, which the server frees later if they are large.
func (s *session) unlink(ctx context.Context, keys []string) error {
	most := mostKeys
	if s.mode == cluster {
		most = 1 // of one slot
	}
	commands := make(rueidis.Commands, 0, (len(keys)+most-1)/most)
	for some := range slices.Chunk(keys, most) {
		commands = append(commands, s.client.B().Unlink().Key(some...).Build())
	}
	return s.all(ctx, commands)
}

// all sends commands in one pipeline and returns the first error.
func (s *session) all(ctx context.Context, commands rueidis.Commands) error {
	if len(commands) == 1 {
		return s.client.Do(ctx, commands[0]).Error()
	}
	for _, answer := range s.client.DoMulti(ctx, commands...) {
		if err := answer.Error(); err != nil {
			return err
		}
	}
	return nil
}

// full returns the keys as they are in Redis, if all are valid.
func (s *Store) full(keys []string) ([]string, error) {
	full := keys
	if s.prefix != "" {
		full = make([]string, len(keys))
	}
	for i, key := range keys {
		if err := cache.CheckKey(key); err != nil {
			return nil, err
		}
		full[i] = s.prefix + key
	}
	return full, nil
}
