package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/harpia-go/harpia/cache"
)

// The layout. The first byte of a pebble key is its space:
//
//	d KEY           the entry under KEY: expires (8) age (8) value
//	e DUE (8) KEY   empty: at DUE the entry under KEY may have expired
//	a AGE (8) KEY   the entry's bytes (8); only with max_bytes
//	m NAME          notes about the store itself
//
// Numbers are big-endian, so that they sort; times are Unix milliseconds. An
// index entry in e is a hint, checked against the entry before anything is
// removed; those in a are exact.
const (
	spaceAge   = 'a'
	spaceEntry = 'd'
	spaceDue   = 'e'
	spaceNote  = 'm'
)

const (
	recordHeader = 16
	indexHeader  = 1 + 8
)

var errShortRecord = errors.New("a stored entry is shorter than its header")

// record is an entry as stored.
type record struct {
	expires int64 // 0: never
	age     int64 // when it was written, Unix nanoseconds, unique with max_bytes
	value   []byte
}

func parseRecord(b []byte) (record, error) {
	if len(b) < recordHeader {
		return record{}, fmt.Errorf("%w: %w", pebble.ErrCorruption, errShortRecord)
	}
	return record{
		expires: int64(binary.BigEndian.Uint64(b)),
		age:     int64(binary.BigEndian.Uint64(b[8:])),
		value:   b[recordHeader:],
	}, nil
}

// put writes the record to b, which is recordHeader+len(r.value) long.
func (r record) put(b []byte) {
	binary.BigEndian.PutUint64(b, uint64(r.expires))
	binary.BigEndian.PutUint64(b[8:], uint64(r.age))
	copy(b[recordHeader:], r.value)
}

func (r record) expired(now int64) bool { return r.expires != 0 && now >= r.expires }

// entry returns the record with a value of its own.
func (r record) entry() cache.Entry {
	e := cache.Entry{Value: append(make([]byte, 0, len(r.value)), r.value...)}
	e.Expires = cache.ExpiryAt(r.expires)
	return e
}

// size is what max_bytes counts for the record.
func (r record) size(key string) int64 {
	return int64(len(key)) + int64(len(r.value)) + entryOverhead
}

// millis returns an expiry as records have it: that of cache.ExpiryMillis, but for 1
// where it is past, since the index of expiries has no negative numbers.
func millis(t time.Time) int64 {
	ms := cache.ExpiryMillis(t)
	if ms < 0 {
		return 1
	}
	return ms
}

func entryKey(key string) []byte {
	return append(append(make([]byte, 0, 1+len(key)), spaceEntry), key...)
}

func indexKey(space byte, n int64, key string) []byte {
	b := append(make([]byte, 0, indexHeader+len(key)), space)
	return append(binary.BigEndian.AppendUint64(b, uint64(n)), key...)
}

func parseIndexKey(b []byte) (n int64, key string, err error) {
	if len(b) < indexHeader {
		return 0, "", fmt.Errorf("%w: a stored index entry is too short", pebble.ErrCorruption)
	}
	return int64(binary.BigEndian.Uint64(b[1:])), string(b[indexHeader:]), nil
}

// prefixEnd returns the first key after those that begin with prefix, whose
// first byte is a space.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; ; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
}

// due returns when to look whether an entry that expires at expires has: then,
// or later by at most 1/64 of its life. Rounded so, an entry that is written
// again and again with the same life, as a session is, has few index entries
// and not one for each write.
func due(now, expires int64) int64 {
	grain := int64(1) << max(0, bits.Len64(uint64(expires-now))-7)
	return (expires + grain - 1) &^ (grain - 1)
}
