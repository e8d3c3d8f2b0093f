package cache

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// memoryEntry is what a Memory keeps for a key. Readers, who hold no lock,
// read key, value and expires, so these never change: a write puts a new
// memoryEntry in the place of the old. Of a million entries, each byte here is
// a megabyte: the fields fill the allocator's size class of 80.
type memoryEntry struct {
	key     string
	value   []byte
	expires int64 // Unix milliseconds; 0: never

	visited atomic.Bool // read since it came or the hand last passed, see memorySieve

	hash         uint32
	newer, older *memoryEntry // neighbours in memorySieve
	order        uint32       // entries that had been inserted when it was, modulo 2³², or memorySettled
	expiry       uint32       // its place in memoryExpiry, from 1; 0: none
}

// memoryOverhead is what an entry counts in MaxBytes besides its key and
// value: its memoryEntry and its share of the index.
const memoryOverhead = 96

// newMemoryEntry returns nil for an entry that has already expired.
func newMemoryEntry(key string, e Entry) *memoryEntry {
	expires := ExpiryMillis(e.Expires)
	if expires != 0 && expires <= time.Now().UnixMilli() {
		return nil
	}
	// Clipped: two readers who each append to a Value must not meet in the
	// spare room behind it.
	return &memoryEntry{key: key, value: slices.Clip(e.Value), expires: expires}
}

func (e *memoryEntry) expired() bool { return e.expires != 0 && memoryPast(e.expires) }

// memoryPast looks at the clock apart from expired, which would else not be
// inlined into every read.
func memoryPast(expires int64) bool { return expires <= time.Now().UnixMilli() }

func (e *memoryEntry) entry() Entry {
	return Entry{Value: e.value, Expires: e.deadline()}
}

func (e *memoryEntry) deadline() time.Time {
	return ExpiryAt(e.expires)
}

func (e *memoryEntry) size() int64 {
	return int64(len(e.key)) + int64(len(e.value)) + memoryOverhead
}

// memoryShard is the part of a Memory whose keys' hashes begin alike. Its
// methods want mu; only index.find does not.
type memoryShard struct {
	index memoryIndex

	_           [64]byte // keeps what writers change off the line that readers need
	mu          sync.Mutex
	sieve       memorySieve
	expiry      memoryExpiry
	bytes       int64
	usage       *memoryUsage // of all shards
	evictions   uint64
	expirations uint64
}

// memoryShardCount returns a power of two, and by how much to shift a hash to
// choose among as many. Writers seldom meet in one of eight shards for each
// processor; a shard of few entries would be a poor judge of which is the
// least useful.
func memoryShardCount(procs int, o MemoryOptions) (n int, shift uint8) {
	const fewEntries, fewBytes, mostShards = 256, 1 << 20, 256
	want := int64(min(8*procs, mostShards))
	want = min(want, o.MaxBytes/fewBytes)
	if o.MaxEntries > 0 {
		want = min(want, int64(o.MaxEntries)/fewEntries)
	}
	log := bits.Len64(uint64(max(want, 1))) - 1
	return 1 << log, uint8(64 - log)
}

// reset drops all entries without a trace in the statistics.
func (s *memoryShard) reset() {
	s.usage.remove(s.bytes, s.index.live)
	s.bytes = 0
	s.index.reset()
	s.sieve = memorySieve{}
	s.expiry = memoryExpiry{}
}

// live returns the entry under key. One that has expired it removes.
func (s *memoryShard) live(hash uint32, key string) *memoryEntry {
	e := s.index.find(hash, key)
	if e != nil && e.expired() {
		s.expire(e)
		return nil
	}
	return e
}

func (s *memoryShard) insert(e *memoryEntry) {
	e.order = s.usage.insert(e.size())
	s.bytes += e.size()
	s.index.insert(e)
	s.sieve.insert(e, s.usage.age())
	s.expiry.insert(e)
}

func (s *memoryShard) replace(old, e *memoryEntry) {
	e.key = old.key // one of the two strings can go, and this one is known
	s.index.replace(old, e)
	s.sieve.replace(old, e)
	s.expiry.remove(old)
	s.expiry.insert(e)
	grown := e.size() - old.size()
	s.usage.grow(grown)
	s.bytes += grown
}

func (s *memoryShard) remove(e *memoryEntry) {
	s.index.remove(e)
	s.sieve.remove(e)
	s.expiry.remove(e)
	s.usage.remove(e.size(), 1)
	s.bytes -= e.size()
}

func (s *memoryShard) expire(e *memoryEntry) {
	s.remove(e)
	s.expirations++
}

// expireNext removes an entry that has expired at now, if there is one.
func (s *memoryShard) expireNext(now int64) bool {
	e := s.expiry.next()
	if e == nil || e.expires > now {
		return false
	}
	s.expire(e)
	return true
}

// evict removes e, unless it is nil, and reports whether it did.
func (s *memoryShard) evict(e *memoryEntry) bool {
	if e == nil {
		return false
	}
	s.remove(e)
	s.evictions++
	return true
}
