package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

const name = "alice@example.com"

// spoiled is a cache of ints with a value under name that is none.
func spoiled(t *testing.T, store cache.Store) *cache.Cache[int] {
	t.Helper()
	c := newCache[int](t, cache.Options{Store: store, Prefix: "age:", TTL: time.Hour})
	spoil(t, store)
	return c
}

func spoil(t *testing.T, store cache.Store) {
	t.Helper()
	if err := store.Set(t.Context(), "age:"+name, cache.Entry{Value: []byte("{no json")}); err != nil {
		t.Fatal(err)
	}
}

// bare is a store with the three methods only.
type bare struct{ cache.Store }

// wantDecodeError checks that err is about these keys of those asked for, and does
// not show them.
func wantDecodeError(t *testing.T, err error, keys ...string) {
	t.Helper()
	var d *cache.DecodeError
	if !errors.Is(err, cache.ErrDecode) || !errors.As(err, &d) {
		t.Fatalf("%v; want a DecodeError", err)
	}
	if len(d.Causes) != len(keys) || d.Type.Kind().String() != "int" {
		t.Errorf("%d keys of %v; want %q", len(d.Causes), d.Type, keys)
	}
	for i, key := range keys {
		if d.Causes[key] == nil || !errors.Is(err, d.Causes[key]) {
			t.Errorf("%q is not among the causes, or they are not wrapped", key)
		}
		if strings.Contains(err.Error(), key) {
			t.Errorf("the key is shown: %v", err)
		}
		if i < 3 && !strings.Contains(err.Error(), cache.KeyDigest(key)) {
			t.Errorf("%v; want the digest %s", err, cache.KeyDigest(key))
		}
	}
}

func TestGetOfAnUndecodableNamesTheKeysDigest(t *testing.T) {
	c := spoiled(t, openMemory(t))
	v, ok, err := c.Get(t.Context(), name)
	if v != 0 || ok {
		t.Errorf("Get: %v, %v", v, ok)
	}
	wantDecodeError(t, err, name)
	if d := cache.KeyDigest("alice"); d != "2bd806c97f0e00af" {
		t.Errorf("the digest of alice is %s", d)
	}
}

func TestGetManyGivesWhatItCouldDecode(t *testing.T) {
	m := openMemory(t)
	c := spoiled(t, m)
	keys := []string{name, "missing"}
	for i := range 5 {
		key := fmt.Sprintf("good %d", i)
		mustSet(t, c, key, i)
		keys = append(keys, key)
	}
	var bad []string
	for i := range 5 {
		key := fmt.Sprintf("bad %d", i)
		if err := m.Set(t.Context(), "age:"+key, cache.Entry{Value: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		bad = append(bad, key)
	}
	got, err := c.GetMany(t.Context(), keys)
	wantDecodeError(t, err, name)
	for i := range 5 {
		if v, ok := got[fmt.Sprintf("good %d", i)]; !ok || v != i {
			t.Errorf("good %d is %d, %v", i, v, ok)
		}
	}
	if len(got) != 5 {
		t.Errorf("got %v", got)
	}
	got, err = c.GetMany(t.Context(), append(bad, "good 1"))
	wantDecodeError(t, err, bad...)
	if len(got) != 1 || got["good 1"] != 1 || !strings.HasSuffix(err.Error(), "and 2 more") {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := c.GetMany(t.Context(), keys[1:]); err != nil || len(got) != 5 {
		t.Errorf("without the bad one: %v, %v", got, err)
	}
}

func TestGetOrLoadReplacesAnUndecodable(t *testing.T) {
	for which, store := range map[string]cache.Store{"with swaps": openMemory(t), "without": bare{openMemory(t)}} {
		t.Run(which, func(t *testing.T) {
			c := spoiled(t, store)
			loads := 0
			load := func(context.Context) (int, error) { loads++; return 41 + loads, nil }
			for range 3 {
				if v, err := c.GetOrLoad(t.Context(), name, load); v != 42 || err != nil {
					t.Errorf("GetOrLoad: %v, %v", v, err)
				}
			}
			if loads != 1 {
				t.Errorf("%d loads", loads)
			}
			wantValue(t, c, name, 42)
			if s := c.Stats(); s.Misses != 1 || s.Hits != 3 || s.Sets != 1 || s.Errors == 0 {
				t.Errorf("Stats = %+v", s)
			}
			if _, expires, _, err := c.GetWithExpiry(t.Context(), name); err != nil || expires.IsZero() {
				t.Errorf("it expires at %v, %v", expires, err)
			}
		})
	}
}

func TestUpdateReplacesAnUndecodableOnRequest(t *testing.T) {
	m := openMemory(t)
	c := spoiled(t, m)
	change := func(v int, ok bool) (int, error) {
		if ok {
			return v + 1, nil
		}
		return 7, nil
	}
	wantDecodeError(t, c.Update(t.Context(), name, change), name)
	wantDecodeError(t, c.Update(t.Context(), name, change, cache.TTL(0)), name)
	if e, _, err := m.Get(t.Context(), "age:"+name); err != nil || string(e.Value) != "{no json" {
		t.Errorf("it was replaced without request: %q, %v", e.Value, err)
	}
	expiry := func() time.Duration {
		_, expires, ok, err := c.GetWithExpiry(t.Context(), name)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if expires.IsZero() {
			return 0
		}
		return time.Until(expires).Round(time.Minute)
	}
	for _, test := range []struct {
		opts []cache.SetOption
		ttl  time.Duration
	}{
		{[]cache.SetOption{cache.ReplaceUndecodable()}, time.Hour},
		{[]cache.SetOption{cache.ReplaceUndecodable(), cache.TTL(2 * time.Hour)}, 2 * time.Hour},
		{[]cache.SetOption{cache.TTL(3 * time.Hour), cache.ReplaceUndecodable()}, 3 * time.Hour},
		{[]cache.SetOption{cache.TTL(0), cache.ReplaceUndecodable()}, 0},
	} {
		spoil(t, m)
		if err := c.Update(t.Context(), name, change, test.opts...); err != nil {
			t.Fatal(err)
		}
		wantValue(t, c, name, 7)
		if ttl := expiry(); ttl != test.ttl {
			t.Errorf("%+v: expires in %v, want %v", test.opts, ttl, test.ttl)
		}
	}
	// A value that can be decoded is changed, and keeps its expiry.
	mustSet(t, c, name, 1, cache.TTL(5*time.Hour))
	if err := c.Update(t.Context(), name, change, cache.ReplaceUndecodable()); err != nil {
		t.Fatal(err)
	}
	wantValue(t, c, name, 2)
	if ttl := expiry(); ttl != 5*time.Hour {
		t.Errorf("expires in %v", ttl)
	}
	mustSet(t, c, name, 1, cache.ReplaceUndecodable())
	if ttl := expiry(); ttl != time.Hour {
		t.Errorf("a Set expires in %v", ttl)
	}
}

// A load whose value cannot be stored fails, and leaves what is there.
func TestALoadThatCannotBeStoredFails(t *testing.T) {
	c := newCache[any](t, cache.Options{})
	_, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (any, error) { return []any{"\xff"}, nil })
	if !errors.Is(err, cache.ErrEncode) || !strings.Contains(err.Error(), "[0]") {
		t.Errorf("GetOrLoad: %v", err)
	}
	wantMiss(t, c, "k")
	mustSet[any](t, c, "k", "old")
	err = c.Update(t.Context(), "k", func(any, bool) (any, error) { return make(chan int), nil })
	if !errors.Is(err, cache.ErrEncode) {
		t.Errorf("Update: %v", err)
	}
	if err := c.SetMany(t.Context(), map[string]any{"k": "new", "l": func() {}}); !errors.Is(err, cache.ErrEncode) {
		t.Errorf("SetMany: %v", err)
	}
	if _, err := c.SetIfAbsent(t.Context(), "l", func() {}); !errors.Is(err, cache.ErrEncode) {
		t.Errorf("SetIfAbsent: %v", err)
	}
	wantValue[any](t, c, "k", "old")
}
