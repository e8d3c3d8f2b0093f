package cache_test

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func newCache[V any](t *testing.T, o cache.Options) *cache.Cache[V] {
	t.Helper()
	c, err := cache.New[V](o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func openMemory(t *testing.T) *cache.Memory {
	t.Helper()
	m, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// three hides what a store can do beyond the three methods.
type three struct{ cache.Store }

// down is a store that cannot be reached.
type down struct{}

func (down) Get(context.Context, string) (cache.Entry, bool, error) {
	return cache.Entry{}, false, fmt.Errorf("%w: on holiday", cache.ErrUnavailable)
}
func (down) Set(context.Context, string, cache.Entry) error { return cache.ErrUnavailable }
func (down) Delete(context.Context, string) error           { return cache.ErrUnavailable }

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []cache.Options{
		{TTL: -time.Second},
		{LoadTimeout: -1},
		{Prefix: strings.Repeat("p", cache.MaxKey)},
	} {
		if _, err := cache.New[string](o); err == nil {
			t.Errorf("accepted: %.60v", o)
		}
	}
}

func TestBadArguments(t *testing.T) {
	c := newCache[string](t, cache.Options{Prefix: "p:"})
	ctx := t.Context()
	long := strings.Repeat("k", cache.MaxKey-1)
	for _, key := range []string{"", long} {
		_, _, err := c.Get(ctx, key)
		for op, err := range map[string]error{
			"Get": err, "Set": c.Set(ctx, key, "v"), "Delete": c.Delete(ctx, key),
			"SetMany":    c.SetMany(ctx, map[string]string{"ok": "v", key: "v"}),
			"DeleteMany": c.DeleteMany(ctx, []string{"ok", key}),
		} {
			if !errors.Is(err, cache.ErrInvalidKey) {
				t.Errorf("%s of a key of %d bytes: %v", op, len(key), err)
			}
		}
	}
	for _, ttl := range []time.Duration{-1, math.MinInt64} {
		if err := c.Set(ctx, "k", "v", cache.TTL(ttl)); !errors.Is(err, cache.ErrInvalidTTL) {
			t.Errorf("Set with TTL %v: %v", ttl, err)
		}
	}
	if err := c.Set(ctx, "k", "v", cache.TTL(math.MaxInt64)); err != nil {
		t.Errorf("Set with the longest TTL: %v", err)
	}
	wantValue(t, c, "k", "v")
	if err := c.Set(ctx, "big", strings.Repeat("v", cache.DefaultMaxValue+1)); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Set of a value over the limit: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[string](t, cache.Options{TTL: time.Minute})
		mustSet(t, c, "default", "v")
		mustSet(t, c, "short", "v", cache.TTL(time.Second))
		mustSet(t, c, "forever", "v", cache.TTL(0))
		time.Sleep(time.Second - time.Millisecond)
		wantValue(t, c, "short", "v")
		time.Sleep(time.Millisecond)
		wantMiss(t, c, "short")
		if ok, err := c.Touch(t.Context(), "default", cache.TTL(2*time.Minute)); !ok || err != nil {
			t.Errorf("Touch: %v, %v", ok, err)
		}
		time.Sleep(time.Minute)
		wantValue(t, c, "default", "v")
		time.Sleep(time.Hour)
		wantMiss(t, c, "default")
		wantValue(t, c, "forever", "v")
	})
}

// An entry that a store returns too late must not get through.
func TestExpiredEntryOfASlowClockIsAMiss(t *testing.T) {
	c := newCache[string](t, cache.Options{Store: lateStore{}})
	wantMiss(t, c, "k")
	if got, err := c.GetMany(t.Context(), []string{"k"}); err != nil || len(got) != 0 {
		t.Errorf("GetMany: %v, %v", got, err)
	}
}

type lateStore struct{ down }

func (lateStore) Get(context.Context, string) (cache.Entry, bool, error) {
	return cache.Entry{Value: []byte("old"), Expires: time.Now().Add(-time.Millisecond)}, true, nil
}

func TestValuesAreTheCallersOwn(t *testing.T) {
	c := newCache[[]byte](t, cache.Options{})
	mine := []byte("value")
	mustSet(t, c, "k", mine)
	mine[0] = 'X'
	wantValue(t, c, "k", []byte("value"))
	got, _, _ := c.Get(t.Context(), "k")
	got[0] = 'Y'
	wantValue(t, c, "k", []byte("value"))
}

func TestPrefixesKeepNeighboursApart(t *testing.T) {
	m := openMemory(t)
	users := newCache[string](t, cache.Options{Store: m, Prefix: "user:"})
	posts := newCache[int](t, cache.Options{Store: m, Prefix: "post:"})
	bare := newCache[string](t, cache.Options{Store: m})
	mustSet(t, users, "1", "Alice")
	mustSet(t, users, "2", "Bob")
	mustSet(t, posts, "1", 42)
	mustSet(t, bare, "user:", "not a user")

	var keys []string
	for key, err := range users.Keys(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if slices.Sort(keys); !slices.Equal(keys, []string{"1", "2"}) {
		t.Errorf("Keys = %q", keys)
	}
	if err := users.Clear(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	wantMiss(t, users, "1")
	wantValue(t, posts, "1", 42)
}

func TestMany(t *testing.T) {
	for name, store := range map[string]cache.Store{"batches": openMemory(t), "three methods": three{openMemory(t)}} {
		t.Run(name, func(t *testing.T) {
			c := newCache[int](t, cache.Options{Store: store, Prefix: "n:"})
			if err := c.SetMany(t.Context(), map[string]int{"a": 1, "b": 2, "c": 3}); err != nil {
				t.Fatal(err)
			}
			if err := c.DeleteMany(t.Context(), []string{"b", "nothing", "b"}); err != nil {
				t.Fatal(err)
			}
			got, err := c.GetMany(t.Context(), []string{"a", "b", "c", "a"})
			if err != nil || len(got) != 2 || got["a"] != 1 || got["c"] != 3 {
				t.Errorf("GetMany = %v, %v", got, err)
			}
		})
	}
}

func TestAtomicOperationsAreNotEmulated(t *testing.T) {
	c := newCache[int](t, cache.Options{Store: three{openMemory(t)}})
	ctx := t.Context()
	_, addErr := c.SetIfAbsent(ctx, "k", 1)
	_, _, countErr := c.Increment(ctx, "k", 1)
	_, touchErr := c.Touch(ctx, "k")
	_, swapErr := c.CompareAndSwap(ctx, "k", 1, 2)
	_, compareErr := c.CompareAndDelete(ctx, "k", 1)
	var scanErr error
	for _, scanErr = range c.Keys(ctx, "") {
	}
	for op, err := range map[string]error{
		"SetIfAbsent": addErr, "Increment": countErr, "Touch": touchErr, "Keys": scanErr, "Clear": c.Clear(ctx, ""),
		"CompareAndSwap": swapErr, "CompareAndDelete": compareErr,
		"Update": c.Update(ctx, "k", func(int, bool) (int, error) { t.Error("called"); return 0, nil }),
	} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestIncrement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[int64](t, cache.Options{})
		ctx := t.Context()
		_, first, err := c.Increment(ctx, "k", 2, cache.TTL(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		n, expires, err := c.Increment(ctx, "k", 3, cache.TTL(time.Minute))
		if err != nil || n != 5 || !expires.Equal(first) {
			t.Errorf("Increment = %d, %v, %v; the window ends at %v", n, expires, err, first)
		}
		wantValue(t, c, "k", 5)
		time.Sleep(30 * time.Second)
		wantMiss(t, c, "k")
	})
}

func TestUpdate(t *testing.T) {
	c := newCache[int](t, cache.Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if err := c.Update(t.Context(), "k", func(n int, _ bool) (int, error) { return n + 1, nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantValue(t, c, "k", 400)

	mine := errors.New("no")
	if err := c.Update(t.Context(), "k", func(int, bool) (int, error) { return 0, mine }); err != mine {
		t.Errorf("an error of the caller's: %v", err)
	}
	wantValue(t, c, "k", 400)
}

func TestUpdateKeepsTheExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[string](t, cache.Options{})
		mustSet(t, c, "session", "new", cache.TTL(time.Minute))
		err := c.Update(t.Context(), "session", func(string, bool) (string, error) { return "changed", nil })
		if err != nil {
			t.Fatal(err)
		}
		wantValue(t, c, "session", "changed")
		time.Sleep(time.Minute)
		wantMiss(t, c, "session")
	})
}

func TestOutageIsAnErrorNotAMiss(t *testing.T) {
	c := newCache[string](t, cache.Options{Store: down{}})
	if _, ok, err := c.Get(t.Context(), "k"); ok || !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Get: %v, %v", ok, err)
	}
	if err := c.Set(t.Context(), "k", "v"); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Set: %v", err)
	}
	if s := c.Stats(); s.Errors != 2 || s.Hits+s.Misses+s.Sets != 0 {
		t.Errorf("Stats = %+v", s)
	}
}

func TestUndecodableIsAnError(t *testing.T) {
	m := openMemory(t)
	if err := m.Set(t.Context(), "k", cache.Entry{Value: []byte("{no json")}); err != nil {
		t.Fatal(err)
	}
	c := newCache[int](t, cache.Options{Store: m})
	if _, ok, err := c.Get(t.Context(), "k"); ok || !errors.Is(err, cache.ErrDecode) {
		t.Errorf("Get: %v, %v", ok, err)
	}
	if _, err := cache.New[chan int](cache.Options{}); !errors.Is(err, cache.ErrEncode) {
		t.Errorf("a cache of channels: %v", err)
	}
}

func TestClose(t *testing.T) {
	m := openMemory(t)
	shared := newCache[string](t, cache.Options{Store: m})
	mustSet(t, shared, "k", "v")
	if err := errors.Join(shared.Close(), shared.Close()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := shared.Get(t.Context(), "k"); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("Get after Close: %v", err)
	}
	if _, ok, err := m.Get(t.Context(), "k"); !ok || err != nil {
		t.Errorf("the store that was given: %v, %v", ok, err)
	}
}

func TestStats(t *testing.T) {
	c := newCache[string](t, cache.Options{})
	mustSet(t, c, "k", "v")
	wantValue(t, c, "k", "v")
	wantMiss(t, c, "nothing")
	mustDelete(t, c, "k")
	if got, want := c.Stats(), (cache.Stats{Hits: 1, Misses: 1, Sets: 1, Deletes: 1}); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
}

func TestCodecs(t *testing.T) {
	type user struct {
		Name string
		Born time.Time
		Key  []byte
	}
	alice := user{"Alice", time.Date(1990, 1, 2, 3, 4, 5, 0, time.UTC), []byte{0, 255}}
	for _, codec := range []cache.Codec{nil, cache.JSON{}, cache.CBOR{}, cache.Compressed{Min: 1}, cache.Compressed{Codec: cache.CBOR{}}} {
		t.Run(fmt.Sprintf("%T", codec), func(t *testing.T) {
			c := newCache[user](t, cache.Options{Codec: codec})
			mustSet(t, c, "k", alice)
			got, ok, err := c.Get(t.Context(), "k")
			if err != nil || !ok || got.Name != alice.Name || !got.Born.Equal(alice.Born) || !bytes.Equal(got.Key, alice.Key) {
				t.Errorf("got %+v, %v, %v", got, ok, err)
			}
		})
	}
}

func TestCompressed(t *testing.T) {
	codec := cache.Compressed{Codec: cache.Raw{}}
	text := strings.Repeat("harpia ", 10_000)
	data, err := codec.Encode(text)
	if err != nil || len(data) > len(text)/50 {
		t.Errorf("%d bytes of repetition became %d: %v", len(text), len(data), err)
	}
	var got string
	if err := codec.Decode(data, &got); err != nil || got != text {
		t.Errorf("the way back: %d bytes, %v", len(got), err)
	}
	var bomb bytes.Buffer
	bomb.WriteByte(1)
	w, err := flate.NewWriter(&bomb, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, cache.DefaultMaxValue+1)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"bomb": bomb.Bytes(), "empty": nil, "other kind": {7, 1}, "cut": data[:len(data)/2]} {
		if err := codec.Decode(data, &got); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
}
