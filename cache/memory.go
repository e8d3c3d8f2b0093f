package cache

import (
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

const memoryDefaultBytes = 64 << 20

// MemoryOptions bounds a Memory; the zero value works.
type MemoryOptions struct {
	// MaxBytes bounds the sum of all keys and values, in bytes, and 96 more for
	// each entry, about what it costs besides. Zero: 64 MiB.
	MaxBytes int64
	// MaxEntries bounds the number of entries. Zero: no bound.
	MaxEntries int
}

func (o MemoryOptions) validate() error {
	switch {
	case o.MaxBytes < 0:
		return fmt.Errorf("cache: memory: MaxBytes is %d; give a positive number of bytes, or 0 for 64 MiB", o.MaxBytes)
	case o.MaxEntries < 0:
		return fmt.Errorf("cache: memory: MaxEntries is %d; give a positive number of entries, or 0 for no bound", o.MaxEntries)
	}
	return nil
}

// Memory is the store in this process. It implements every optional interface
// but Watcher, since nobody else can change it, and Flusher, since nothing in
// it outlives the process.
//
// It copies nothing: Get returns the very bytes that Set was given, and the
// key is kept as it came. Entry.Value says what that obliges both sides to.
//
// It keeps within its bounds by evicting entries, and holds them whenever no
// write is under way; only an entry that is alone may pass MaxBytes, by its
// key and its overhead. Entries that have expired go first. Of the others those
// that were not read go before those that were (SIEVE), the youngest fifth
// only when nothing else is left, and the entry just written never: however
// busy the older entries are, they do not keep a new one out.
//
// Expired entries give their memory back within about 100 ms, also when the
// store is not used.
//
// Reads take no lock. Its methods return the error of a context that has
// ended, and ErrClosed after Close.
type Memory struct {
	seed       maphash.Seed
	shards     []memoryShard
	shardShift uint8 // the top bits of a key's hash choose its shard
	maxValue   int
	closed     atomic.Bool
	closing    sync.Once

	_       [64]byte // what every write changes shall not share a cache line with what every read needs
	usage   memoryUsage
	turn    atomic.Uint32 // the shard that gave way last
	reaped  atomic.Int64  // see reap
	sweeper *memorySweeper
}

var (
	_ Store      = (*Memory)(nil)
	_ Batcher    = (*Memory)(nil)
	_ Adder      = (*Memory)(nil)
	_ Swapper    = (*Memory)(nil)
	_ Counter    = (*Memory)(nil)
	_ Toucher    = (*Memory)(nil)
	_ Scanner    = (*Memory)(nil)
	_ Clearer    = (*Memory)(nil)
	_ Limiter    = (*Memory)(nil)
	_ Exclusiver = (*Memory)(nil)
	_ io.Closer  = (*Memory)(nil)
)

// NewMemory returns an empty Memory, or an error if an option is negative.
func NewMemory(o MemoryOptions) (*Memory, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = memoryDefaultBytes
	}
	n, shift := memoryShardCount(runtime.GOMAXPROCS(0), o)
	m := &Memory{
		seed:       maphash.MakeSeed(),
		shards:     make([]memoryShard, n),
		shardShift: shift,
		maxValue:   int(min(DefaultMaxValue, o.MaxBytes)),
	}
	m.sweeper = &memorySweeper{sweep: m.sweep}
	m.usage.maxBytes, m.usage.maxEntries = o.MaxBytes, int64(o.MaxEntries)
	for i := range m.shards {
		m.shards[i].usage = &m.usage
		m.shards[i].reset()
	}
	return m, nil
}

// Limits returns the longest value: DefaultMaxValue, or MaxBytes if that is
// less.
func (m *Memory) Limits() Limits { return Limits{MaxValue: m.maxValue} }

// Get returns the entry under key and whether there is one. Its Expires is
// what was set, cut to the millisecond.
func (m *Memory) Get(ctx context.Context, key string) (Entry, bool, error) {
	e, err := m.lookup(ctx, key)
	if e == nil {
		return Entry{}, false, err
	}
	return e.entry(), true, nil
}

// lookup is Get for a caller that returns the Entry itself: to hand one on by
// value through one more call costs more than a tenth of a Get. It returns nil
// if there is no entry.
func (m *Memory) lookup(ctx context.Context, key string) (*memoryEntry, error) {
	if err := m.check(ctx); err != nil {
		return nil, err
	}
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	s, hash := m.locate(key)
	e := s.index.find(hash, key)
	if e == nil || e.expired() {
		return nil, nil
	}
	// The test comes first because an entry in use is marked already, and a
	// store would take its cache line from the other processors.
	if !e.visited.Load() {
		e.visited.Store(true)
	}
	return e, nil
}

// Set replaces the entry under key, or removes it if e has already expired. It
// returns ErrTooLarge for a value over the limit.
func (m *Memory) Set(ctx context.Context, key string, e Entry) error {
	if err := m.check(ctx); err != nil {
		return err
	}
	if err := CheckEntry(key, e, m.maxValue); err != nil {
		return err
	}
	fresh := newMemoryEntry(key, e)
	s, hash, err := m.lock(key)
	if err != nil {
		return err
	}
	m.commit(s, s.live(hash, key), fresh, hash)
	return nil
}

// Delete removes key.
func (m *Memory) Delete(ctx context.Context, key string) error {
	if err := m.check(ctx); err != nil {
		return err
	}
	if err := CheckKey(key); err != nil {
		return err
	}
	s, hash, err := m.lock(key)
	if err != nil {
		return err
	}
	m.commit(s, s.live(hash, key), nil, hash)
	return nil
}

// Exclusive is true: nobody else can change what a Memory holds.
func (m *Memory) Exclusive() bool { return true }

// Close drops all entries and stops what runs in the background; it returns
// when that has ended. It never fails, and may be called again.
func (m *Memory) Close() error {
	m.closing.Do(func() {
		m.closed.Store(true)
		m.sweeper.stop()
		for i := range m.shards {
			s := &m.shards[i]
			s.mu.Lock()
			s.reset()
			s.mu.Unlock()
		}
	})
	return nil
}

func (m *Memory) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.closed.Load() {
		return ErrClosed
	}
	return nil
}

func (m *Memory) locate(key string) (*memoryShard, uint32) {
	hash := maphash.String(m.seed, key)
	return &m.shards[hash>>m.shardShift], uint32(hash)
}

// lock returns key's shard, locked: a write that Close did not wait for must
// not fill a shard after Close has emptied it.
func (m *Memory) lock(key string) (*memoryShard, uint32, error) {
	s, hash := m.locate(key)
	s.mu.Lock()
	if m.closed.Load() {
		s.mu.Unlock()
		return nil, 0, ErrClosed
	}
	return s, hash, nil
}

// commit ends a write that began with lock: it puts fresh in the place of old,
// each of which may be nil, unlocks s, and makes room for what came.
func (m *Memory) commit(s *memoryShard, old, fresh *memoryEntry, hash uint32) {
	if fresh == nil {
		if old != nil {
			s.remove(old)
		}
		s.mu.Unlock()
		return
	}
	fresh.hash = hash
	if old != nil {
		s.replace(old, fresh)
	} else {
		s.insert(fresh)
	}
	s.mu.Unlock()
	if m.usage.over() {
		m.makeRoom(s, fresh)
	}
	if fresh.expires != 0 {
		m.sweeper.arm(fresh.expires)
	}
}
