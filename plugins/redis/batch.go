package main

import (
	"cmp"
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
		found, err = to.lookUp(ctx, full, nil)
		return err
	})
	return found, err
}

// SetMany implements cache.Batcher. One pipeline keeps the order; in a cluster
// there is one for each node, and a key has one node.
func (s *Store) SetMany(ctx context.Context, items []cache.Item) error {
	size, err := sizeOf(items)
	if err != nil || len(items) == 0 {
		return err
	}
	return s.do(ctx, "", size, func(ctx context.Context, to *session) error {
		return to.all(ctx, s.sets(to, items))
	})
}

// sizeOf is how many bytes the values have, of items that are all valid.
func sizeOf(items []cache.Item) (size int, err error) {
	for i := range items {
		if err := check(items[i].Key, items[i].Entry); err != nil {
			return 0, err
		}
		size += len(items[i].Entry.Value)
	}
	return size, nil
}

// sets are the commands that store items.
func (s *Store) sets(to *session, items []cache.Item) rueidis.Commands {
	commands := make(rueidis.Commands, len(items))
	for i := range items {
		commands[i] = set(to.client.B(), s.prefix+items[i].Key, items[i].Entry)
	}
	return commands
}

// Mixes implements shared.Mixer.
func (s *Store) Mixes() bool {
	if l := s.link.Load(); l != nil {
		to := l.current.Load()
		return to != nil && to.transacts()
	}
	return false
}

// Mix implements shared.Mixer: it sends both in one pipeline.
func (s *Store) Mix(ctx context.Context, keys []string, items []cache.Item) (found []cache.Lookup, read, wrote error) {
	full, wrongKey := s.full(keys)
	size, wrongItem := sizeOf(items)
	if wrongKey == nil && wrongItem == nil {
		found, read, wrote = s.mix(ctx, full, items, size)
	} else {
		wrote = s.SetMany(ctx, items)
	}
	if found == nil || read != nil {
		found, read = s.GetMany(ctx, keys)
	}
	return found, read, wrote
}

func (s *Store) mix(ctx context.Context, full []string, items []cache.Item, size int) (found []cache.Lookup, read, wrote error) {
	var writes along
	err := s.do(ctx, "", size, func(ctx context.Context, to *session) error {
		if !to.transacts() {
			return nil // it is another session than it was
		}
		writes.commands = s.sets(to, items)
		found, read = to.lookUp(ctx, full, &writes)
		return cmp.Or(writes.err, read) // what either says of the session
	})
	switch {
	case writes.sent && writes.err == nil:
		return found, read, nil
	case !writes.sent && err == nil:
		return nil, nil, s.SetMany(ctx, items) // there was nothing to go along with
	}
	return found, read, err
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
