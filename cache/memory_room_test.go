package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func TestMemoryHoldsItsBounds(t *testing.T) {
	for _, o := range []cache.MemoryOptions{
		{MaxEntries: 1},
		{MaxEntries: 10},
		{MaxEntries: 5000},
		{MaxBytes: 1},
		{MaxBytes: 10_000},
		{MaxBytes: 20 << 20},
		{MaxBytes: 100_000, MaxEntries: 100},
	} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			m := newMemory(t, o)
			r := rand.New(rand.NewPCG(1, 2))
			for i := range 10_000 {
				key := strconv.Itoa(r.IntN(20_000))
				value := make([]byte, min(r.IntN(5000), m.Limits().MaxValue))
				memorySet(t, m, key, cache.Entry{Value: value})
				if !memoryHas(t, m, key) {
					t.Fatalf("write %d is not found right after it", i)
				}
				st := m.Stats()
				tooMany := o.MaxEntries > 0 && st.Entries > o.MaxEntries
				tooBig := o.MaxBytes > 0 && st.Bytes > o.MaxBytes && st.Entries > 1
				if tooMany || tooBig {
					t.Fatalf("after write %d: %+v", i, st)
				}
			}
			if n := len(memoryKeys(t, m, "")); n != m.Stats().Entries {
				t.Errorf("Scan finds %d entries of %d", n, m.Stats().Entries)
			}
		})
	}
}

func TestMemoryTakesAValueAsLargeAsItself(t *testing.T) {
	const maxBytes = 8 << 20
	m := newMemory(t, cache.MemoryOptions{MaxBytes: maxBytes})
	for i := range 1000 {
		memorySet(t, m, strconv.Itoa(i), cache.Entry{Value: make([]byte, 100)})
	}
	large := bytes.Repeat([]byte("x"), maxBytes)
	memorySet(t, m, "large", cache.Entry{Value: large})
	wantMemoryValue(t, m, "large", string(large))
	if n := m.Stats().Entries; n != 1 {
		t.Errorf("%d entries are left", n)
	}
	if err := m.Set(context.Background(), "large", cache.Entry{Value: append(large, 'x')}); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Set of one byte more: %v", err)
	}
	wantMemoryValue(t, m, "large", string(large))
	memorySet(t, m, "small", cache.Entry{})
	if keys := memoryKeys(t, m, ""); len(keys) != 1 || keys[0] != "small" {
		t.Errorf("after a small entry there are %q", keys)
	}
}

func TestMemoryGrowingEntryEvictsOthers(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{MaxBytes: 10_000})
	memorySet(t, m, "grows", cache.Entry{Value: []byte("small")})
	for i := range 20 {
		memorySet(t, m, strconv.Itoa(i), cache.Entry{Value: make([]byte, 300)})
	}
	memorySet(t, m, "grows", cache.Entry{Value: make([]byte, 9_000)})
	if st := m.Stats(); st.Bytes > 10_000 || st.Entries < 2 || !memoryHas(t, m, "grows") {
		t.Errorf("%+v, found: %v", st, memoryHas(t, m, "grows"))
	}
}

func TestMemoryEvictsExpiredEntriesFirst(t *testing.T) {
	for _, maxEntries := range []int{3, 5000} { // one shard, and several
		synctest.Test(t, func(t *testing.T) {
			m := newMemory(t, cache.MemoryOptions{MaxEntries: maxEntries})
			for i := range maxEntries - 1 {
				memorySet(t, m, strconv.Itoa(i), cache.Entry{})
			}
			memorySet(t, m, "expires", cache.Entry{Expires: time.Now().Add(5 * time.Millisecond)})
			memoryHas(t, m, "expires") // it is the only one that was read
			time.Sleep(5 * time.Millisecond)
			memorySet(t, m, "new", cache.Entry{})
			if st := m.Stats(); st.Evictions != 0 || st.Expirations != 1 || st.Entries != maxEntries {
				t.Errorf("%+v; want the entry that had expired gone, and no other", st)
			}
		})
	}
}

func TestMemoryEvictsWhatIsNotRead(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{MaxEntries: 4})
	for _, key := range []string{"a", "b", "c", "d"} {
		memorySet(t, m, key, cache.Entry{})
	}
	memoryHas(t, m, "a")
	memoryHas(t, m, "c")
	memorySet(t, m, "e", cache.Entry{})
	memorySet(t, m, "f", cache.Entry{})
	left := memoryKeys(t, m, "")
	for _, key := range []string{"a", "c", "f"} {
		if !slices.Contains(left, key) {
			t.Errorf("left are %v; want %s, which was read or is the newest", left, key)
		}
	}
}

// Having been read, or written, spares an entry once.
func TestMemoryForgetsOldReads(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{MaxEntries: 4})
	for _, key := range []string{"a", "b", "c", "d", "a"} {
		memorySet(t, m, key, cache.Entry{})
	}
	memorySet(t, m, "e", cache.Entry{})
	if left := memoryKeys(t, m, ""); !slices.Contains(left, "a") {
		t.Errorf("left are %v; want a, which was written twice", left)
	}
	for i := range 200 {
		memorySet(t, m, strconv.Itoa(i), cache.Entry{})
	}
	if memoryHas(t, m, "a") {
		t.Error("a is there after 200 other keys")
	}
}

// Keys that were popular give way to others, also if these are read so seldom
// that each is gone before it is read again.
func TestMemoryFollowsAShift(t *testing.T) {
	const entries, loop = 1000, 600
	m := newMemory(t, cache.MemoryOptions{MaxEntries: entries})
	for i := range 10 * entries {
		key := "popular" + strconv.Itoa(i%entries)
		if !memoryHas(t, m, key) {
			memorySet(t, m, key, cache.Entry{})
		}
	}
	var keys []uint64
	for i := range uint64(loop) {
		keys = append(keys, i)
	}
	for range 40 {
		memoryHits(t, m, keys, nil)
	}
	if hits := memoryHits(t, m, keys, nil); hits < loop {
		t.Errorf("after 40 rounds through %d keys, %d are there", loop, hits)
	}
}

// New keys are not kept out by old ones, however hot these are.
func TestMemoryFreshKeys(t *testing.T) {
	for _, c := range []struct {
		procs, entries, fresh int
		large                 bool
		reads                 int // of old keys, after each new one
	}{
		{procs: 2, entries: 100_000, fresh: 20_000},
		{procs: 2, entries: 100_000, fresh: 20_000, reads: 10},
		{procs: 2, entries: 64, fresh: 13, reads: 64},
		{procs: 64, entries: 64, fresh: 13, reads: 64, large: true},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.procs))
			o, value := cache.MemoryOptions{MaxBytes: 1 << 30, MaxEntries: c.entries}, []byte(nil)
			if c.large {
				o, value = cache.MemoryOptions{MaxBytes: int64(c.entries) << 20}, make([]byte, 1<<20-200)
			}
			m := newMemory(t, o)
			old := func(i int) string { return "old" + strconv.Itoa(i%c.entries) }
			for i := range c.entries {
				memorySet(t, m, old(i), cache.Entry{Value: value})
			}
			for i := range c.entries {
				memoryHas(t, m, old(i))
			}
			lost, left := 0, 0
			for i := range c.fresh {
				key := "new" + strconv.Itoa(i)
				memorySet(t, m, key, cache.Entry{Value: value})
				// A Get would tell the store that the key is wanted.
				if added, err := m.SetIfAbsent(context.Background(), key, cache.Entry{}); added || err != nil {
					lost++
				}
				for j := range c.reads {
					memoryHas(t, m, old(i*c.reads+j))
				}
			}
			if lost > 0 {
				t.Errorf("%d of %d new keys were not there right after they were set", lost, c.fresh)
			}
			for i := range c.fresh {
				if memoryHas(t, m, "new"+strconv.Itoa(i)) {
					left++
				}
			}
			if left != c.fresh {
				t.Errorf("%d of %d new keys are left at the end", left, c.fresh)
			}
			if st := m.Stats(); st.Entries != c.entries {
				t.Errorf("%d entries, want %d", st.Entries, c.entries)
			}
		})
	}
}

// lruHits returns how many of the keys a plain LRU of so many entries hits.
func lruHits(keys []uint64, entries int) int {
	type node struct {
		newer, older *node
		key          uint64
	}
	hits, root, nodes := 0, &node{}, map[uint64]*node{}
	root.newer, root.older = root, root
	for _, key := range keys {
		n := nodes[key]
		switch {
		case n != nil:
			hits++
			n.newer.older, n.older.newer = n.older, n.newer
		case len(nodes) == entries:
			n = root.newer // the ring's oldest
			n.newer.older, n.older.newer = n.older, n.newer
			delete(nodes, n.key)
		default:
			n = &node{}
		}
		n.key, nodes[key] = key, n
		n.newer, n.older = root, root.older
		n.newer.older, n.older.newer = n, n
	}
	return hits
}

// memoryHits returns how many of the keys m hits if what misses is set.
func memoryHits(t *testing.T, m *cache.Memory, keys []uint64, value []byte) int {
	hits := 0
	for _, k := range keys {
		key := strconv.FormatUint(k, 36)
		if memoryHas(t, m, key) {
			hits++
		} else {
			memorySet(t, m, key, cache.Entry{Value: value})
		}
	}
	return hits
}

func TestMemoryHitsAsOftenAsLRU(t *testing.T) {
	const n = 150_000
	zipf := rand.NewZipf(rand.New(rand.NewPCG(3, 4)), 1.1, 1, 100_000-1)
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = zipf.Uint64()
	}
	large := make([]byte, 1<<20-200)
	for _, c := range []struct {
		procs   int // a machine with many has many shards
		entries int
		large   bool // few entries in many shards
	}{
		{2, 100, false},
		{2, 1000, false},
		{2, 10_000, false},
		{64, 10_000, false},
		{2, 64, true},
		{64, 16, true},
		{64, 64, true},
		{64, 256, true},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.procs))
			o, value := cache.MemoryOptions{MaxEntries: c.entries}, []byte(nil)
			if c.large {
				o, value = cache.MemoryOptions{MaxBytes: int64(c.entries) << 20}, large
			}
			got, lru := memoryHits(t, newMemory(t, o), keys, value), lruHits(keys, c.entries)
			t.Logf("hit ratio %.4f, of an LRU %.4f", float64(got)/n, float64(lru)/n)
			if got < lru {
				t.Errorf("%d hits, an LRU of %d entries has %d", got, c.entries, lru)
			}
		})
	}
}

// A loop over more keys than there is room for does not drive out what is
// wanted more often, and a part of it stays.
func TestMemoryWithstandsALoop(t *testing.T) {
	const n, entries, loop = 300_000, 2000, 4000
	zipf := rand.NewZipf(rand.New(rand.NewPCG(3, 4)), 1.1, 1, 20_000-1)
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = zipf.Uint64()
		if i%3 == 2 {
			keys[i] = 1<<32 + uint64(i/3%loop)
		}
	}
	got, lru := memoryHits(t, newMemory(t, cache.MemoryOptions{MaxEntries: entries}), keys, nil), lruHits(keys, entries)
	t.Logf("hit ratio %.4f, of an LRU %.4f", float64(got)/n, float64(lru)/n)
	if got < lru+lru/8 {
		t.Errorf("%d hits, an LRU has %d", got, lru)
	}
}
