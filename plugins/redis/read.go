package main

import (
	"context"
	"errors"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
)

var errAnswer = errors.New("redis: the server's answer is not what was asked for")

// readScript returns the values of the keys, then their expiries: -1 is none,
// -2 no key. A key of another type has no value, but an expiry.
const readScript = `
local r = redis.call('MGET', unpack(KEYS))
local n = #KEYS
for i = 1, n do r[n + i] = redis.call('PEXPIRETIME', KEYS[i]) end
return r`

var readLua = rueidis.NewLuaScriptReadOnly(readScript)

// get reads value and expiry of one key in one step.
func (s *session) get(ctx context.Context, key string) (cache.Lookup, error) {
	m, err := readLua.Exec(ctx, s.client, []string{key}, nil).ToArray()
	if err != nil {
		return cache.Lookup{}, err
	}
	if len(m) != 2 {
		return cache.Lookup{}, errAnswer
	}
	return lookup(&m[0], &m[1])
}

func lookup(value, expires *rueidis.RedisMessage) (cache.Lookup, error) {
	if value.IsNil() {
		return cache.Lookup{}, nil
	}
	v, err := value.AsBytes()
	if err != nil {
		return cache.Lookup{}, err
	}
	ms, err := expires.ToInt64()
	if err != nil {
		return cache.Lookup{}, err
	}
	l := cache.Lookup{Entry: cache.Entry{Value: v}, Found: true}
	l.Entry.Expires = fromRedis(ms)
	return l, nil
}
