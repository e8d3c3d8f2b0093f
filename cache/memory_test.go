package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// newMemory returns a Memory that is closed at the end of the test.
func newMemory(tb testing.TB, o cache.MemoryOptions) *cache.Memory {
	tb.Helper()
	m, err := cache.NewMemory(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
}

func memorySet(tb testing.TB, m *cache.Memory, key string, e cache.Entry) {
	tb.Helper()
	if err := m.Set(context.Background(), key, e); err != nil {
		tb.Fatalf("Set(%q): %v", key, err)
	}
}

func memoryHas(tb testing.TB, m *cache.Memory, key string) bool {
	tb.Helper()
	_, ok, err := m.Get(context.Background(), key)
	if err != nil {
		tb.Fatalf("Get(%q): %v", key, err)
	}
	return ok
}

// wantValue checks that key holds value.
func wantMemoryValue(tb testing.TB, m *cache.Memory, key, value string) {
	tb.Helper()
	e, ok, err := m.Get(context.Background(), key)
	if err != nil || !ok || string(e.Value) != value {
		tb.Errorf("Get(%q) = %q, %v, %v; want %q", key, e.Value, ok, err, value)
	}
}

func wantMemoryStats(tb testing.TB, m *cache.Memory, want cache.MemoryStats) {
	tb.Helper()
	if got := m.Stats(); got != want {
		tb.Errorf("Stats() = %+v, want %+v", got, want)
	}
}

// memoryKeys returns the keys under prefix, sorted.
func memoryKeys(tb testing.TB, m *cache.Memory, prefix string) []string {
	tb.Helper()
	keys := []string{}
	for key, err := range m.Scan(context.Background(), prefix) {
		if err != nil {
			tb.Fatalf("Scan(%q): %v", prefix, err)
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func TestMemoryRefusesNegativeBounds(t *testing.T) {
	for _, o := range []cache.MemoryOptions{{MaxBytes: -1}, {MaxEntries: -1}} {
		if m, err := cache.NewMemory(o); err == nil {
			m.Close()
			t.Errorf("NewMemory(%+v) gave no error", o)
		}
	}
}

func TestMemoryLimits(t *testing.T) {
	for _, c := range []struct {
		maxBytes int64
		want     int
	}{
		{0, cache.DefaultMaxValue},
		{1 << 40, cache.DefaultMaxValue},
		{1000, 1000},
	} {
		m := newMemory(t, cache.MemoryOptions{MaxBytes: c.maxBytes})
		if got := cache.LimitsOf(m).MaxValue; got != c.want {
			t.Errorf("MaxBytes %d: the longest value is %d, want %d", c.maxBytes, got, c.want)
		}
	}
}

func TestMemoryCapabilities(t *testing.T) {
	const want = cache.CanBatch | cache.CanAdd | cache.CanSwap | cache.CanCount | cache.CanTouch | cache.CanScan | cache.CanClear
	if got := cache.CapabilitiesOf(newMemory(t, cache.MemoryOptions{})); got != want {
		t.Errorf("a Memory can %v, want %v", got, want)
	}
}

// memoryCalls are all methods that take a key and a value.
func memoryCalls(ctx context.Context, m *cache.Memory, key string, value []byte) map[string]error {
	e := cache.Entry{Value: value}
	_, _, get := m.Get(ctx, key)
	_, add := m.SetIfAbsent(ctx, key, e)
	_, swap := m.CompareAndSwap(ctx, key, nil, e)
	_, swapAway := m.CompareAndDelete(ctx, key, value)
	_, _, count := m.Increment(ctx, key, 1, time.Time{})
	_, touch := m.Touch(ctx, key, time.Time{})
	_, getMany := m.GetMany(ctx, []string{"valid", key})
	return map[string]error{
		"Get":              get,
		"Set":              m.Set(ctx, key, e),
		"Delete":           m.Delete(ctx, key),
		"SetIfAbsent":      add,
		"CompareAndSwap":   swap,
		"CompareAndDelete": swapAway,
		"Increment":        count,
		"Touch":            touch,
		"GetMany":          getMany,
		"SetMany":          m.SetMany(ctx, []cache.Item{{Key: "valid"}, {Key: key, Entry: e}}),
		"DeleteMany":       m.DeleteMany(ctx, []string{"valid", key}),
	}
}

func TestMemoryRefusesInvalidKeys(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{})
	memorySet(t, m, "valid", cache.Entry{Value: []byte("v")})
	for _, key := range []string{"", strings.Repeat("k", cache.MaxKey+1)} {
		for method, err := range memoryCalls(context.Background(), m, key, nil) {
			if !errors.Is(err, cache.ErrInvalidKey) {
				t.Errorf("%s with a key of %d bytes: %v", method, len(key), err)
			}
		}
	}
	wantMemoryValue(t, m, "valid", "v") // a batch with a key that is not valid does nothing at all
}

func TestMemoryRefusesTooLargeValues(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{MaxBytes: 1000})
	memorySet(t, m, "k", cache.Entry{Value: []byte("before")})
	calls := memoryCalls(context.Background(), m, "k", make([]byte, 1001))
	for _, method := range []string{"Set", "SetIfAbsent", "CompareAndSwap", "SetMany"} {
		if !errors.Is(calls[method], cache.ErrTooLarge) {
			t.Errorf("%s of 1001 bytes into 1000: %v", method, calls[method])
		}
	}
	m = newMemory(t, cache.MemoryOptions{MaxBytes: 1})
	memorySet(t, m, "n", cache.Entry{Value: []byte("9")})
	if _, _, err := m.Increment(context.Background(), "n", 1, time.Time{}); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Increment to two digits where one fits: %v", err)
	}
	wantMemoryValue(t, m, "n", "9")
}

func TestMemoryTooLargeValueLeavesTheOldOne(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{MaxBytes: 1000})
	memorySet(t, m, "k", cache.Entry{Value: []byte("before")})
	if err := m.Set(context.Background(), "k", cache.Entry{Value: make([]byte, 1001)}); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Set: %v", err)
	}
	wantMemoryValue(t, m, "k", "before")
}

func TestMemoryHonoursItsContext(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{})
	memorySet(t, m, "k", cache.Entry{Value: []byte("v")})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for method, err := range memoryCalls(ctx, m, "k", nil) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", method, err)
		}
	}
	if err := m.Clear(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Clear: %v", err)
	}
	for key, err := range m.Scan(ctx, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Scan: %q, %v", key, err)
		}
	}
	wantMemoryValue(t, m, "k", "v")
}

func TestMemoryClosed(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{})
	memorySet(t, m, "k", cache.Entry{Value: []byte("v"), Expires: time.Now().Add(time.Hour)})
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	for method, err := range memoryCalls(ctx, m, "k", nil) {
		if !errors.Is(err, cache.ErrClosed) {
			t.Errorf("%s: %v", method, err)
		}
	}
	if err := m.Clear(ctx, "k"); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("Clear: %v", err)
	}
	for key, err := range m.Scan(ctx, "") {
		if !errors.Is(err, cache.ErrClosed) {
			t.Errorf("Scan: %q, %v", key, err)
		}
	}
	wantMemoryStats(t, m, cache.MemoryStats{})
}

func TestMemoryCopiesNothing(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{})
	value := []byte("value with room behind it")[:5]
	memorySet(t, m, "k", cache.Entry{Value: value})
	e, _, err := m.Get(context.Background(), "k")
	if err != nil || &e.Value[0] != &value[0] {
		t.Errorf("Get returned a copy (or %v)", err)
	}
	// Readers may append, each to its own.
	if got := append(e.Value, '!'); &got[0] == &value[0] {
		t.Error("appending to what Get returned writes into what Set was given")
	}
}

func TestMemoryGetAllocatesNothing(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{})
	ctx := context.Background()
	memorySet(t, m, "forever", cache.Entry{Value: []byte("v")})
	memorySet(t, m, "for an hour", cache.Entry{Value: []byte("v"), Expires: time.Now().Add(time.Hour)})
	for _, key := range []string{"forever", "for an hour", "missing"} {
		if n := testing.AllocsPerRun(100, func() { m.Get(ctx, key) }); n != 0 {
			t.Errorf("Get(%q) allocates %v times", key, n)
		}
	}
}

func TestMemoryStats(t *testing.T) {
	const overhead = 96
	m := newMemory(t, cache.MemoryOptions{})
	memorySet(t, m, "a", cache.Entry{Value: make([]byte, 100)})
	memorySet(t, m, "bb", cache.Entry{Value: make([]byte, 10)})
	wantMemoryStats(t, m, cache.MemoryStats{Entries: 2, Bytes: 1 + 100 + 2 + 10 + 2*overhead})
	memorySet(t, m, "a", cache.Entry{Value: make([]byte, 30)})
	wantMemoryStats(t, m, cache.MemoryStats{Entries: 2, Bytes: 1 + 30 + 2 + 10 + 2*overhead})
	if err := m.Delete(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	wantMemoryStats(t, m, cache.MemoryStats{Entries: 1, Bytes: 2 + 10 + overhead})
	if err := m.Clear(context.Background(), ""); err != nil {
		t.Fatal(err)
	}
	wantMemoryStats(t, m, cache.MemoryStats{})
}

func TestMemoryBatches(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{})
	ctx := context.Background()
	var items []cache.Item
	for i := range 100 {
		items = append(items, cache.Item{Key: fmt.Sprint(i % 50), Entry: cache.Entry{Value: fmt.Append(nil, i)}})
	}
	if err := m.SetMany(ctx, items); err != nil {
		t.Fatal(err)
	}
	if err := m.DeleteMany(ctx, []string{"7", "7", "nothing"}); err != nil {
		t.Fatal(err)
	}
	found, err := m.GetMany(ctx, []string{"49", "7", "0", "49"})
	if err != nil {
		t.Fatal(err)
	}
	// Of two with one key the last won.
	for i, want := range []string{"99", "", "50", "99"} {
		if got := found[i]; string(got.Entry.Value) != want || got.Found != (want != "") {
			t.Errorf("answer %d of GetMany is %q, %v; want %q", i, got.Entry.Value, got.Found, want)
		}
	}
}

func TestMemoryKeysAreBytes(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{})
	keys := []string{"\x00", "\x00\x00", "\xff\xfe", "a\nb", strings.Repeat("\x80", cache.MaxKey)}
	for i, key := range keys {
		memorySet(t, m, key, cache.Entry{Value: []byte{byte(i)}})
	}
	for i, key := range keys {
		e, ok, err := m.Get(context.Background(), key)
		if err != nil || !ok || !bytes.Equal(e.Value, []byte{byte(i)}) {
			t.Errorf("key %d: %v, %v, %v", i, e.Value, ok, err)
		}
	}
	if got := memoryKeys(t, m, ""); len(got) != len(keys) {
		t.Errorf("Scan yields %d keys, want %d", len(got), len(keys))
	}
}
