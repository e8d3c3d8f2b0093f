package cache_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

// What the memory store of the framework Harpia promises, on Memory.

func TestMemoryHarpia(t *testing.T) {
	ctx := context.Background()

	t.Run("set and get", func(t *testing.T) {
		m := newMemory(t, cache.MemoryOptions{})
		memorySet(t, m, "user:1", cache.Entry{Value: []byte(`{"name":"Alice"}`)})
		wantMemoryValue(t, m, "user:1", `{"name":"Alice"}`)
	})

	t.Run("a missing key is not found", func(t *testing.T) {
		m := newMemory(t, cache.MemoryOptions{})
		e, ok, err := m.Get(ctx, "missing")
		if err != nil || ok || e.Value != nil {
			t.Errorf("Get = %v, %v, %v; want nothing, and no error", e, ok, err)
		}
	})

	t.Run("delete", func(t *testing.T) {
		m := newMemory(t, cache.MemoryOptions{})
		memorySet(t, m, "user:1", cache.Entry{Value: []byte("Alice")})
		for range 2 { // the second time there is nothing, which is no error
			if err := m.Delete(ctx, "user:1"); err != nil {
				t.Fatal(err)
			}
			if memoryHas(t, m, "user:1") {
				t.Error("found after Delete")
			}
		}
	})

	values := map[string]string{
		"text":   `"hello"`,
		"number": "42",
		"truth":  "true",
		"list":   "[1,2,3]",
		"object": `{"a":1}`,
		"binary": "\x00\xff\x80",
	}
	several := func(t *testing.T) *cache.Memory {
		m := newMemory(t, cache.MemoryOptions{})
		for key, value := range values {
			memorySet(t, m, key, cache.Entry{Value: []byte(value)})
		}
		return m
	}

	t.Run("several values of several kinds are kept apart", func(t *testing.T) {
		m := several(t)
		for key, value := range values {
			wantMemoryValue(t, m, key, value)
		}
	})

	t.Run("delete several", func(t *testing.T) {
		m := several(t)
		if err := m.DeleteMany(ctx, []string{"text", "list", "missing"}); err != nil {
			t.Fatal(err)
		}
		for key, value := range values {
			if key == "text" || key == "list" {
				if memoryHas(t, m, key) {
					t.Errorf("%s is found after DeleteMany", key)
				}
			} else {
				wantMemoryValue(t, m, key, value)
			}
		}
	})

	t.Run("a null value is found and is what was stored", func(t *testing.T) {
		m := newMemory(t, cache.MemoryOptions{})
		for key, value := range map[string][]byte{"null": []byte("null"), "empty": {}, "nil": nil} {
			memorySet(t, m, key, cache.Entry{Value: value})
			e, ok, err := m.Get(ctx, key)
			if err != nil || !ok || !bytes.Equal(e.Value, value) {
				t.Errorf("%s: Get = %q, %v, %v", key, e.Value, ok, err)
			}
		}
	})
}
