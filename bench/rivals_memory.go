package main

import (
	"context"
	"sync"

	"github.com/Yiling-J/theine-go"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/maypok86/otter/v2"

	"github.com/harpia-go/harpia/cache"
)

// inMemory is a cache in this process as the bench sees one.
type inMemory interface {
	get(key string) bool
	set(key string, value []byte)
	// settle waits until what was set can be read, where that takes time.
	settle()
	close()
}

// kind is a cache in this process that can be made with room for so many
// entries.
type kind struct {
	name    string
	bounded bool
	make    func(capacity int) (inMemory, error)
}

// inMemoryKinds are the caches that are compared, each as it ships.
func inMemoryKinds() []kind {
	return []kind{
		{subjectHarpia, true, newHarpiaMemory},
		{"otter", true, newOtter},
		{"ristretto", true, newRistretto},
		{"theine", true, newTheine},
		{"golang-lru", true, newLRU},
		{"sync.Map", false, newSyncMap},
	}
}

type harpiaMemory struct {
	ctx context.Context
	m   cache.Store
}

func newHarpiaMemory(capacity int) (inMemory, error) {
	m, err := cache.NewMemory(cache.MemoryOptions{MaxEntries: capacity, MaxBytes: 1 << 40})
	return harpiaMemory{context.Background(), m}, err
}

func (h harpiaMemory) get(key string) bool {
	_, ok, _ := h.m.Get(h.ctx, key)
	return ok
}

func (h harpiaMemory) set(key string, value []byte) {
	_ = h.m.Set(h.ctx, key, cache.Entry{Value: value})
}

func (harpiaMemory) settle()  {}
func (h harpiaMemory) close() { _ = cache.Close(h.m) }

type otterCache struct{ *otter.Cache[string, []byte] }

func newOtter(capacity int) (inMemory, error) {
	c, err := otter.New(&otter.Options[string, []byte]{MaximumSize: capacity})
	return otterCache{c}, err
}

func (o otterCache) get(key string) bool          { _, ok := o.GetIfPresent(key); return ok }
func (o otterCache) set(key string, value []byte) { o.Set(key, value) }
func (o otterCache) settle()                      { o.CleanUp() }
func (o otterCache) close()                       { o.StopAllGoroutines() }

type ristrettoCache struct {
	*ristretto.Cache[string, []byte]
}

// newRistretto takes the numbers that ristretto's documentation advises; each
// entry costs one, as with the others.
func newRistretto(capacity int) (inMemory, error) {
	c, err := ristretto.NewCache(&ristretto.Config[string, []byte]{
		NumCounters: int64(capacity) * 10, MaxCost: int64(capacity), BufferItems: 64, IgnoreInternalCost: true,
	})
	return ristrettoCache{c}, err
}

func (r ristrettoCache) get(key string) bool          { _, ok := r.Get(key); return ok }
func (r ristrettoCache) set(key string, value []byte) { r.Set(key, value, 1) }
func (r ristrettoCache) settle()                      { r.Wait() }
func (r ristrettoCache) close()                       { r.Close() }

type theineCache struct {
	*theine.Cache[string, []byte]
}

func newTheine(capacity int) (inMemory, error) {
	c, err := theine.NewBuilder[string, []byte](int64(capacity)).Build()
	return theineCache{c}, err
}

func (t theineCache) get(key string) bool          { _, ok := t.Get(key); return ok }
func (t theineCache) set(key string, value []byte) { t.Set(key, value, 1) }
func (t theineCache) settle()                      { t.Wait() }
func (t theineCache) close()                       { t.Close() }

type lruCache struct{ *expirable.LRU[string, []byte] }

// newLRU lets nothing expire: with a time to live it starts a goroutine that
// it has no way to end.
func newLRU(capacity int) (inMemory, error) {
	return lruCache{expirable.NewLRU[string, []byte](capacity, nil, 0)}, nil
}

func (l lruCache) get(key string) bool          { _, ok := l.Get(key); return ok }
func (l lruCache) set(key string, value []byte) { l.Add(key, value) }
func (lruCache) settle()                        {}
func (lruCache) close()                         {}

type mapCache struct{ *sync.Map }

// newSyncMap makes a map without bounds: what a cache costs beyond it.
func newSyncMap(int) (inMemory, error) { return mapCache{&sync.Map{}}, nil }

func (m mapCache) get(key string) bool          { _, ok := m.Load(key); return ok }
func (m mapCache) set(key string, value []byte) { m.Store(key, value) }
func (mapCache) settle()                        {}
func (m mapCache) close()                       { m.Clear() }
