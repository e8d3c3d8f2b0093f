package main

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

// rueidisStore is Redis through rueidis, as it ships.
type rueidisStore struct {
	client rueidis.Client
	cached bool // read through the client's own cache, kept right by the server
}

func (s *site) openRueidis(socket string, cached bool) (rueidisStore, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{socket},
		DialCtxFn: func(ctx context.Context, path string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		},
	})
	if err != nil {
		return rueidisStore{}, err
	}
	s.atEnd(func() error { client.Close(); return nil })
	return rueidisStore{client, cached}, nil
}

func (r rueidisStore) get(ctx context.Context, key string) (int, error) {
	var got rueidis.RedisResult
	if r.cached {
		got = r.client.DoCache(ctx, r.client.B().Get().Key(key).Cache(), time.Hour)
	} else {
		got = r.client.Do(ctx, r.client.B().Get().Key(key).Build())
	}
	value, err := got.AsBytes()
	if rueidis.IsRedisNil(err) {
		err = errMissing(key)
	}
	return len(value), err
}

func (r rueidisStore) set(ctx context.Context, key string, value []byte) error {
	return r.client.Do(ctx, r.client.B().Set().Key(key).Value(rueidis.BinaryString(value)).Build()).Error()
}

func (r rueidisStore) fill(ctx context.Context, keys []string, value []byte) error {
	const batch = 1000
	for len(keys) > 0 {
		n := min(batch, len(keys))
		commands := make([]rueidis.Completed, n)
		for i, key := range keys[:n] {
			commands[i] = r.client.B().Set().Key(key).Value(rueidis.BinaryString(value)).Build()
		}
		for _, got := range r.client.DoMulti(ctx, commands...) {
			if err := got.Error(); err != nil {
				return err
			}
		}
		keys = keys[n:]
	}
	return nil
}

// goRedisStore is Redis through go-redis, as it ships.
type goRedisStore struct{ client *redis.Client }

func (s *site) openGoRedis(socket string) goRedisStore {
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	s.atEnd(client.Close)
	return goRedisStore{client}
}

func (r goRedisStore) get(ctx context.Context, key string) (int, error) {
	value, err := r.client.Get(ctx, key).Bytes()
	if err == redis.Nil {
		err = errMissing(key)
	}
	return len(value), err
}

func (r goRedisStore) set(ctx context.Context, key string, value []byte) error {
	return r.client.Set(ctx, key, value, 0).Err()
}

func (r goRedisStore) fill(ctx context.Context, keys []string, value []byte) error {
	for _, key := range keys {
		if err := r.set(ctx, key, value); err != nil {
			return err
		}
	}
	return nil
}
