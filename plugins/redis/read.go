package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
)

// mostKeys is how many keys one step reads or removes, so that others need not
// wait long for it.
const mostKeys = 512

var errAnswer = errors.New("redis: the server's answer is not what was asked for")

// errType: a key holds no string.
type errType struct{ key string }

func (e errType) Error() string { return "redis: the key holds no string" }

// lookUp reads values with their expiries, each pair in one step. How that is
// cheapest was measured over a Unix socket, both processes on two cores, with
// 128-byte values in batches of 30; µs for each key, in this process + in
// Redis 7.0:
//
//	MULTI, MGET, a PEXPIRETIME for each, EXEC       1.7 + 0.9
//	a script over all keys                          1.5 + 1.4
//	a script for each key, in one pipeline          2.0 + 2.5
//	MULTI, GET, PEXPIRETIME, EXEC for each key      2.8 + 1.4
//	MULTI, MGET, INFO keyspace, EXEC                1.2 + 0.6 (see lasting.go)
//	MGET alone, which tells no expiries             1.2 + 0.6
//
// A cluster takes neither transactions nor scripts over keys of different
// slots, and follows the moves of a slot for single commands only, which a
// script is.
//
// along goes with the first transaction; nil: nothing does.
func (s *session) lookUp(ctx context.Context, keys []string, along *along) ([]cache.Lookup, error) {
	found := make([]cache.Lookup, len(keys))
	if s.mode == cluster {
		return found, s.readEach(ctx, keys, found)
	}
	for from := 0; from < len(keys); from += mostKeys {
		to := min(from+mostKeys, len(keys))
		step := s.readTogether
		if s.transacts() {
			step = func(ctx context.Context, keys []string, found []cache.Lookup) error {
				return s.transact(ctx, keys, found, along)
			}
		}
		err := step(ctx, keys[from:to], found[from:to])
		if redis, ok := rueidis.IsRedisErr(err); ok && word(redis.Error()) == "OOM" {
			// A server whose memory is full queues nothing, and still reads.
			err = s.readTogether(ctx, keys[from:to], found[from:to])
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// transacts reports whether keys are read in transactions.
func (s *session) transacts() bool { return s.mode != cluster && !s.release.before(withExpiry) }

// along is commands that go with a transaction, before it, in one pipeline.
type along struct {
	commands rueidis.Commands
	err      error // the first of theirs
	sent     bool
}

// transact reads keys in one transaction.
func (s *session) transact(ctx context.Context, keys []string, found []cache.Lookup, along *along) error {
	if len(keys) >= lastingFrom && s.lasting.expiries.likely() {
		if done, err := s.transactLasting(ctx, keys, found, along); done || err != nil {
			return err
		}
	}
	b := s.client.B()
	commands := make(rueidis.Commands, 0, len(keys)+3)
	commands = append(commands, b.Multi().Build(), b.Mget().Key(keys...).Build())
	for _, key := range keys {
		commands = append(commands, b.Pexpiretime().Key(key).Build())
	}
	answer, err := s.exec(ctx, append(commands, b.Exec().Build()), along)
	if err != nil {
		return err
	}
	values, err := answer[0].ToArray()
	if err != nil {
		return err
	}
	return lookups(keys, values, answer[1:], found)
}

// exec sends a transaction and returns what its commands answer.
func (s *session) exec(ctx context.Context, commands rueidis.Commands, along *along) ([]rueidis.RedisMessage, error) {
	var answers []rueidis.RedisResult
	if along == nil || along.sent {
		answers = s.client.DoMulti(ctx, commands...)
	} else {
		answers = along.take(s.client.DoMulti(ctx, slices.Concat(along.commands, commands)...))
	}
	answer, err := answers[len(answers)-1].ToArray()
	if err != nil {
		// What is wrong was said when the command was queued.
		for _, a := range answers {
			if err := a.Error(); err != nil {
				return nil, err
			}
		}
		return nil, err
	}
	if len(answer) != len(commands)-2 {
		return nil, errAnswer
	}
	return answer, nil
}

// take takes the answers to the commands, and returns the others.
func (a *along) take(answers []rueidis.RedisResult) []rueidis.RedisResult {
	a.sent = true
	for _, answer := range answers[:len(a.commands)] {
		if a.err = answer.Error(); a.err != nil {
			break
		}
	}
	return answers[len(a.commands):]
}

// readTogether reads keys in one script.
func (s *session) readTogether(ctx context.Context, keys []string, found []cache.Lookup) error {
	return lookupsOf(keys, s.read.Exec(ctx, s.client, keys, nil), found)
}

// readEach reads keys in one script each.
func (s *session) readEach(ctx context.Context, keys []string, found []cache.Lookup) error {
	unknown := keys[:0:0]
	var places []int
	for i, a := range s.readAll(ctx, keys, true) {
		err := lookupsOf(keys[i:i+1], a, found[i:i+1])
		if redis, ok := rueidis.IsRedisErr(err); ok && redis.IsNoScript() {
			unknown, places = append(unknown, keys[i]), append(places, i)
		} else if err != nil {
			return err
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	for i, a := range s.readAll(ctx, unknown, false) {
		if err := lookupsOf(unknown[i:i+1], a, found[places[i]:places[i]+1]); err != nil {
			return err
		}
	}
	return nil
}

// readAll sends the script for each key, known as its digest.
func (s *session) readAll(ctx context.Context, keys []string, known bool) []rueidis.RedisResult {
	command, script := "EVAL", s.readText
	if known {
		command, script = "EVALSHA", s.readDigest
	}
	if !s.release.before(withExpiry) {
		command += "_RO"
	}
	commands := make(rueidis.Commands, len(keys))
	for i, key := range keys {
		commands[i] = s.client.B().Arbitrary(command, script, "1").Keys(key).ReadOnly()
	}
	return s.client.DoMulti(ctx, commands...)
}

// lookupsOf takes the answer of the script apart.
func lookupsOf(keys []string, answer rueidis.RedisResult, found []cache.Lookup) error {
	m, err := answer.ToArray()
	if err != nil {
		return err
	}
	if len(m) != 2*len(keys) {
		return errAnswer
	}
	return lookups(keys, m[:len(keys)], m[len(keys):], found)
}

func lookups(keys []string, values, expiries []rueidis.RedisMessage, found []cache.Lookup) error {
	if len(values) != len(keys) {
		return errAnswer
	}
	for i := range keys {
		ms, err := expiries[i].AsInt64()
		if err != nil {
			return err
		}
		if ms == noKey {
			continue
		}
		if values[i].IsNil() {
			return errType{keys[i]}
		}
		if found[i], err = lookup(&values[i], ms); err != nil {
			return err
		}
	}
	return nil
}

func lookup(m *rueidis.RedisMessage, ms int64) (cache.Lookup, error) {
	value, err := m.AsBytes()
	if err != nil {
		return cache.Lookup{}, err
	}
	if len(value) > cache.DefaultMaxValue {
		return cache.Lookup{}, fmt.Errorf("%w: redis: somebody has stored %d bytes, and %d are read at most", cache.ErrTooLarge, len(value), cache.DefaultMaxValue)
	}
	return cache.Lookup{Entry: cache.Entry{Value: value, Expires: fromRedis(ms)}, Found: true}, nil
}

// wrongType reports whether err says that a key holds no string.
func wrongType(err error) bool {
	if _, ok := err.(errType); ok {
		return true
	}
	redis, ok := rueidis.IsRedisErr(err)
	return ok && strings.Contains(redis.Error(), "WRONGTYPE")
}
