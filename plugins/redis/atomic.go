package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
)

// SetIfAbsent implements cache.Adder.
func (s *Store) SetIfAbsent(ctx context.Context, key string, e cache.Entry) (stored bool, err error) {
	if err := check(key, e); err != nil {
		return false, err
	}
	err = s.do(ctx, key, len(e.Value), func(ctx context.Context, to *session) error {
		b := to.client.B().Set().Key(s.prefix + key).Value(rueidis.BinaryString(e.Value)).Nx()
		command := b.Build
		if ms, ok := toRedis(e.Expires); ok {
			command = b.PxatMillisecondsTimestamp(ms).Build
		}
		err := to.client.Do(ctx, command()).Error()
		if rueidis.IsRedisNil(err) {
			return nil
		}
		stored = err == nil
		return err
	})
	return stored, err
}

// CompareAndSwap implements cache.Swapper.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
	if err := check(key, e); err != nil {
		return false, err
	}
	return s.decide(ctx, key, len(old)+len(e.Value), func(have scripts) *rueidis.Lua { return have.swap },
		rueidis.BinaryString(old), rueidis.BinaryString(e.Value), scriptExpiry(e.Expires))
}

// CompareAndDelete implements cache.Swapper.
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error) {
	if err := cache.CheckKey(key); err != nil {
		return false, err
	}
	return s.decide(ctx, key, len(old), func(have scripts) *rueidis.Lua { return have.remove }, rueidis.BinaryString(old))
}

// Touch implements cache.Toucher.
func (s *Store) Touch(ctx context.Context, key string, expires time.Time) (bool, error) {
	if err := cache.CheckKey(key); err != nil {
		return false, err
	}
	return s.decide(ctx, key, 0, func(have scripts) *rueidis.Lua { return have.touch }, scriptExpiry(expires))
}

// decide runs a script that says whether it did what it is for.
func (s *Store) decide(ctx context.Context, key string, size int, script func(scripts) *rueidis.Lua, args ...string) (done bool, err error) {
	err = s.do(ctx, key, size, func(ctx context.Context, to *session) error {
		n, err := script(to.scripts).Exec(ctx, to.client, []string{s.prefix + key}, args).AsInt64()
		done = n == 1
		return err
	})
	return done, err
}

// Increment implements cache.Counter. What INCRBY takes for a counter is what
// cache.Add does.
func (s *Store) Increment(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (n int64, expires time.Time, err error) {
	if err := cache.CheckKey(key); err != nil {
		return 0, time.Time{}, err
	}
	args := []string{strconv.FormatInt(delta, 10), scriptExpiry(expiresIfNew)}
	err = s.do(ctx, key, 0, func(ctx context.Context, to *session) error {
		answer, err := to.count.Exec(ctx, to.client, []string{s.prefix + key}, args).ToArray()
		if err != nil {
			return notCounter(err)
		}
		if len(answer) != 2 {
			return errAnswer
		}
		sum, err := answer[0].AsInt64()
		at, err2 := answer[1].AsInt64()
		n, expires = sum, fromRedis(at)
		return errors.Join(err, err2)
	})
	return n, expires, err
}

// notCounter gives what Redis says of a value that is no counter, or of a sum
// that is too large, its sentinel.
func notCounter(err error) error {
	redis, ok := rueidis.IsRedisErr(err)
	if !ok {
		return err
	}
	switch text := redis.Error(); {
	case strings.Contains(text, "not an integer"):
		return fmt.Errorf("%w: redis: the value is not a decimal number of 64 bits", cache.ErrNotCounter)
	case strings.Contains(text, "overflow"):
		return fmt.Errorf("%w: redis: the sum does not fit 64 bits", cache.ErrNotCounter)
	}
	return err
}
