package main

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
)

// Where nothing expires in the whole database, the server says so in one line
// of INFO keyspace, and need not be asked for the expiry of each key: that is a
// third of the work of a read.

const (
	// lastingFrom is how many keys are worth the line.
	lastingFrom = 8
	// guessAgain is how many transactions a guess that was wrong is not made.
	guessAgain = 64
)

// lasting guesses what the next transaction will find.
type lasting struct {
	expiries guess // nothing expires
	misses   guess // all keys are there
}

// guess is one that is made again some time after it was wrong.
type guess struct{ wrong atomic.Int32 }

func (g *guess) likely() bool { return g.wrong.Load() <= 0 || g.wrong.Add(-1) < 0 }

func (g *guess) unlikely() { g.wrong.Store(guessAgain) }

// transactLasting reads keys in one transaction if nothing expires and all keys
// that are there hold strings. It reports whether it could tell that it is so.
func (s *session) transactLasting(ctx context.Context, keys []string, found []cache.Lookup, along *along) (done bool, err error) {
	b := s.client.B()
	commands := rueidis.Commands{b.Multi().Build(), b.Mget().Key(keys...).Build(), b.Info().Section("keyspace").Build()}
	// MGET tells as little of a key that holds another type as of none.
	count := !s.lasting.misses.likely()
	if count {
		commands = append(commands, b.Exists().Key(keys...).Build())
	}
	answer, err := s.exec(ctx, append(commands, b.Exec().Build()), along)
	if _, refused := rueidis.IsRedisErr(err); refused {
		s.lasting.expiries.unlikely() // such as INFO, to this user
		return false, nil
	}
	if err != nil {
		return false, err
	}
	values, err := answer[0].ToArray()
	if err != nil || len(values) != len(keys) {
		return false, err
	}
	info, err := answer[1].ToString()
	if err != nil {
		return false, err
	}
	if !nothingExpires(info, s.db) {
		s.lasting.expiries.unlikely()
		return false, nil
	}
	hits := int64(0)
	for i := range values {
		if values[i].IsNil() {
			continue
		}
		hits++
		if found[i], err = lookup(&values[i], noExpiry); err != nil {
			return false, err
		}
	}
	there := int64(len(keys))
	if hits < there {
		s.lasting.misses.unlikely()
	}
	if count {
		if there, err = answer[2].AsInt64(); err != nil {
			return false, err
		}
	}
	if hits != there {
		clear(found)
	}
	return hits == there, nil
}

// nothingExpires reads the lines of INFO keyspace, such as
// "db0:keys=7,expires=0,avg_ttl=0". A database that is empty has none.
func nothingExpires(info string, db int) bool {
	name := "db" + strconv.Itoa(db) + ":"
	for line := range strings.Lines(info) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.Contains(rest, ",expires=0,")
		}
	}
	return strings.HasPrefix(info, "# Keyspace")
}
