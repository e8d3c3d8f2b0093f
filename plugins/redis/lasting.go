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
	// lastingAgain is how many transactions ask for each expiry before the line
	// is tried again, after it said that something expires.
	lastingAgain = 64
)

// lasting guesses whether nothing expires.
type lasting struct{ asks atomic.Int32 }

func (l *lasting) likely() bool { return l.asks.Load() <= 0 || l.asks.Add(-1) < 0 }

func (l *lasting) unlikely() { l.asks.Store(lastingAgain) }

// transactLasting reads keys in one transaction if nothing expires and all keys
// that are there hold strings. It reports whether that is so.
func (s *session) transactLasting(ctx context.Context, keys []string, found []cache.Lookup) (done bool, err error) {
	b := s.client.B()
	answer, err := s.exec(ctx, rueidis.Commands{
		b.Multi().Build(), b.Mget().Key(keys...).Build(), b.Exists().Key(keys...).Build(), b.Info().Section("keyspace").Build(), b.Exec().Build(),
	})
	if _, refused := rueidis.IsRedisErr(err); refused {
		return false, nil // such as INFO, to this user
	}
	if err != nil {
		return false, err
	}
	values, err := answer[0].ToArray()
	if err != nil || len(values) != len(keys) {
		return false, err
	}
	there, err := answer[1].AsInt64()
	if err != nil {
		return false, err
	}
	info, err := answer[2].ToString()
	if err != nil || !nothingExpires(info, s.db) {
		return false, err
	}
	for i := range values {
		if values[i].IsNil() {
			continue
		}
		there--
		if found[i], err = lookup(&values[i], noExpiry); err != nil {
			return false, err
		}
	}
	if there != 0 {
		clear(found)
	}
	return there == 0, nil
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
