package cache_test

import (
	"reflect"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

// The cases that the cache of the TypeScript framework Harpia is tested with,
// on an untyped cache as it has.

func newAny(t *testing.T, o cache.Options) *cache.Cache[any] {
	t.Helper()
	c, err := cache.New[any](o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func mustSet[V any](t *testing.T, c *cache.Cache[V], key string, v V, opts ...cache.SetOption) {
	t.Helper()
	if err := c.Set(t.Context(), key, v, opts...); err != nil {
		t.Fatalf("Set(%q): %v", key, err)
	}
}

func mustDelete[V any](t *testing.T, c *cache.Cache[V], key string) {
	t.Helper()
	if err := c.Delete(t.Context(), key); err != nil {
		t.Fatalf("Delete(%q): %v", key, err)
	}
}

func wantValue[V any](t *testing.T, c *cache.Cache[V], key string, want V) {
	t.Helper()
	v, ok, err := c.Get(t.Context(), key)
	if err != nil || !ok || !reflect.DeepEqual(v, want) {
		t.Errorf("Get(%q) = %#v, %v, %v; want %#v", key, v, ok, err, want)
	}
}

func wantMiss[V any](t *testing.T, c *cache.Cache[V], key string) {
	t.Helper()
	if v, ok, err := c.Get(t.Context(), key); ok || err != nil {
		t.Errorf("Get(%q) = %#v, %v, %v; want a miss", key, v, ok, err)
	}
}

func TestHarpiaSetAndGet(t *testing.T) {
	c := newAny(t, cache.Options{})
	mustSet[any](t, c, "key", "value")
	wantValue[any](t, c, "key", "value")
}

func TestHarpiaMissingIsNotFound(t *testing.T) {
	wantMiss(t, newAny(t, cache.Options{}), "missing")
}

func TestHarpiaDelete(t *testing.T) {
	c := newAny(t, cache.Options{})
	mustSet[any](t, c, "key", "value")
	mustDelete(t, c, "key")
	wantMiss(t, c, "key")
	mustDelete(t, c, "key")
}

func TestHarpiaDefaultStoreIsMemory(t *testing.T) {
	m, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for name, o := range map[string]cache.Options{"default": {}, "given": {Store: m}} {
		t.Run(name, func(t *testing.T) {
			c := newAny(t, o)
			mustSet[any](t, c, "key", "value")
			wantValue[any](t, c, "key", "value")
		})
	}
}

func TestHarpiaValuesOfSeveralTypes(t *testing.T) {
	c := newAny(t, cache.Options{})
	values := map[string]any{
		"string": "text", "number": int64(42), "bool": true, "list": []any{1.5, "two"},
		"object": map[string]any{"name": "Alice", "tags": []any{"a", "b"}},
	}
	for key, v := range values {
		mustSet(t, c, key, v)
	}
	for key, v := range values {
		wantValue(t, c, key, v)
	}
}

func TestHarpiaDeleteSeveral(t *testing.T) {
	c := newAny(t, cache.Options{})
	for _, key := range []string{"a", "b", "c"} {
		mustSet[any](t, c, key, key)
	}
	mustDelete(t, c, "a")
	mustDelete(t, c, "b")
	wantMiss(t, c, "a")
	wantMiss(t, c, "b")
	wantValue[any](t, c, "c", "c")
}

func TestHarpiaNullIsFoundAndNull(t *testing.T) {
	c := newAny(t, cache.Options{})
	mustSet[any](t, c, "null", nil)
	wantValue[any](t, c, "null", nil)
}
