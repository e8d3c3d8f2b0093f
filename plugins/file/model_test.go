package main

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/harpia-go/harpia/cache"
)

// model is the store as a map, checked after each step.
type model struct {
	s        *Store
	dir      string
	disk     *vfs.MemFS
	settings []string
	clock    *testClock
	want     map[string]cache.Entry
}

// live returns what the model holds under key.
func (m *model) live(key string) (cache.Entry, bool) {
	e, ok := m.want[key]
	if !ok || e.Expired(m.clock.Now()) {
		return cache.Entry{}, false
	}
	return e, true
}

func (m *model) put(key string, e cache.Entry) {
	e.Expires = e.Expires.Truncate(time.Millisecond)
	m.want[key] = e
	if e.Expired(m.clock.Now()) {
		delete(m.want, key)
	}
}

var (
	drawKey   = rapid.SampledFrom([]string{"a", "aa", "ab", "b", "b\x00", "b\xff", "\xff", "\xff\xff", "long" + strings.Repeat("k", 300)})
	drawValue = rapid.OneOf(
		rapid.SampledFrom([]string{"", "0", "7", "-1", "not a number", "9223372036854775807"}),
		rapid.Map(rapid.IntRange(0, 9000), func(n int) string { return strings.Repeat("x", n) }),
	)
	drawPrefix = rapid.SampledFrom([]string{"", "a", "b", "b\xff", "\xff", "none", "long"})
)

func (m *model) drawExpires(t *rapid.T) time.Time {
	d := rapid.SampledFrom([]time.Duration{0, -time.Hour, 1, time.Millisecond, 90 * time.Second, time.Hour}).Draw(t, "ttl")
	if d == 0 {
		return time.Time{}
	}
	return m.clock.Now().Add(d)
}

func (m *model) drawEntry(t *rapid.T) cache.Entry {
	return cache.Entry{Value: []byte(drawValue.Draw(t, "value")), Expires: m.drawExpires(t)}
}

func (m *model) reopen(t *rapid.T) {
	if err := m.s.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(t)
}

func (m *model) open(t *rapid.T) {
	m.s = &Store{fs: memFS{m.disk}, clock: m.clock}
	if err := configure(m.s, m.dir, m.settings...); err != nil {
		t.Fatal(err)
	}
}

func check(t *rapid.T, what string, err error) {
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func (m *model) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"Set": func(t *rapid.T) {
			key, e := drawKey.Draw(t, "key"), m.drawEntry(t)
			check(t, "Set", m.s.Set(t.Context(), key, e))
			m.put(key, e)
		},
		"Delete": func(t *rapid.T) {
			key := drawKey.Draw(t, "key")
			check(t, "Delete", m.s.Delete(t.Context(), key))
			delete(m.want, key)
		},
		"SetMany": func(t *rapid.T) {
			var items []cache.Item
			for range rapid.IntRange(0, 5).Draw(t, "n") {
				items = append(items, cache.Item{Key: drawKey.Draw(t, "key"), Entry: m.drawEntry(t)})
			}
			check(t, "SetMany", m.s.SetMany(t.Context(), items))
			for _, it := range items {
				m.put(it.Key, it.Entry)
			}
		},
		"DeleteMany": func(t *rapid.T) {
			keys := rapid.SliceOfN(drawKey, 0, 4).Draw(t, "keys")
			check(t, "DeleteMany", m.s.DeleteMany(t.Context(), keys))
			for _, key := range keys {
				delete(m.want, key)
			}
		},
		"SetIfAbsent": func(t *rapid.T) {
			key, e := drawKey.Draw(t, "key"), m.drawEntry(t)
			stored, err := m.s.SetIfAbsent(t.Context(), key, e)
			check(t, "SetIfAbsent", err)
			if _, ok := m.live(key); stored == ok {
				t.Fatalf("SetIfAbsent(%q) = %v, and it was there: %v", key, stored, ok)
			}
			if stored {
				m.put(key, e)
			}
		},
		"CompareAndSwap": func(t *rapid.T) {
			key, e := drawKey.Draw(t, "key"), m.drawEntry(t)
			old := m.drawOld(t, key)
			now, ok := m.live(key)
			want := ok && bytes.Equal(now.Value, old)
			swapped, err := m.s.CompareAndSwap(t.Context(), key, old, e)
			check(t, "CompareAndSwap", err)
			if swapped != want {
				t.Fatalf("CompareAndSwap(%q) = %v, want %v", key, swapped, want)
			}
			if want {
				m.put(key, e)
			}
		},
		"CompareAndDelete": func(t *rapid.T) {
			key := drawKey.Draw(t, "key")
			old := m.drawOld(t, key)
			now, ok := m.live(key)
			want := ok && bytes.Equal(now.Value, old)
			deleted, err := m.s.CompareAndDelete(t.Context(), key, old)
			check(t, "CompareAndDelete", err)
			if deleted != want {
				t.Fatalf("CompareAndDelete(%q) = %v, want %v", key, deleted, want)
			}
			if want {
				delete(m.want, key)
			}
		},
		"Increment": func(t *rapid.T) {
			key, expires := drawKey.Draw(t, "key"), m.drawExpires(t)
			delta := rapid.SampledFrom([]int64{0, 1, -5, math.MaxInt64}).Draw(t, "delta")
			e, ok := m.live(key)
			if !ok {
				e = cache.Entry{Value: []byte("0"), Expires: expires.Truncate(time.Millisecond)}
			}
			n, at, err := m.s.Increment(t.Context(), key, delta, expires)
			value, sum, wantErr := cache.Add(e.Value, delta)
			if wantErr != nil {
				if !errors.Is(err, cache.ErrNotCounter) {
					t.Fatalf("Increment(%q): %v, want no counter", key, err)
				}
				return
			}
			check(t, "Increment", err)
			if n != sum || !at.Equal(e.Expires) {
				t.Fatalf("Increment(%q) = %d, %v; want %d, %v", key, n, at, sum, e.Expires)
			}
			m.put(key, cache.Entry{Value: value, Expires: e.Expires})
		},
		"Touch": func(t *rapid.T) {
			key, expires := drawKey.Draw(t, "key"), m.drawExpires(t)
			e, ok := m.live(key)
			found, err := m.s.Touch(t.Context(), key, expires)
			check(t, "Touch", err)
			if found != ok {
				t.Fatalf("Touch(%q) = %v, want %v", key, found, ok)
			}
			if ok {
				m.put(key, cache.Entry{Value: e.Value, Expires: expires})
			}
		},
		"Clear": func(t *rapid.T) {
			prefix := drawPrefix.Draw(t, "prefix")
			check(t, "Clear", m.s.Clear(t.Context(), prefix))
			maps.DeleteFunc(m.want, func(key string, _ cache.Entry) bool { return strings.HasPrefix(key, prefix) })
		},
		"Scan": func(t *rapid.T) {
			prefix := drawPrefix.Draw(t, "prefix")
			var got, want []string
			for key, err := range m.s.Scan(t.Context(), prefix) {
				check(t, "Scan", err)
				got = append(got, key)
			}
			for key := range m.want {
				if _, ok := m.live(key); ok && strings.HasPrefix(key, prefix) {
					want = append(want, key)
				}
			}
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("Scan(%q) = %.10q, want %.10q", prefix, got, want)
			}
		},
		"wait": func(t *rapid.T) {
			m.clock.Advance(rapid.SampledFrom([]time.Duration{1, time.Millisecond, time.Minute, time.Hour}).Draw(t, "d"))
		},
		"sweep":  func(*rapid.T) { m.clock.sweepNow() },
		"flush":  func(t *rapid.T) { check(t, "Flush", m.s.Flush(t.Context())) },
		"reopen": m.reopen,
		"": func(t *rapid.T) {
			keys := slices.Collect(maps.Keys(m.want))
			found, err := m.s.GetMany(t.Context(), append(keys, "never"))
			check(t, "GetMany", err)
			for i, key := range keys {
				want, ok := m.live(key)
				got := found[i]
				if got.Found != ok || !bytes.Equal(got.Entry.Value, want.Value) || !got.Entry.Expires.Equal(want.Expires) {
					t.Fatalf("GetMany: %.10q is %v %.20q %v, want %v %.20q %v", key,
						got.Found, got.Entry.Value, got.Entry.Expires, ok, want.Value, want.Expires)
				}
			}
			if found[len(keys)].Found {
				t.Fatal("a key that was never written is found")
			}
			if m.s.bound != nil {
				recountModel(t, m)
			}
		},
	}
}

// drawOld draws a value to compare with: often the right one.
func (m *model) drawOld(t *rapid.T, key string) []byte {
	if e, ok := m.want[key]; ok && rapid.Bool().Draw(t, "right") {
		return e.Value
	}
	return []byte(drawValue.Draw(t, "old"))
}

func recountModel(t *rapid.T, m *model) {
	// The sweeper writes too. A store with a bound has a single lock.
	held, _ := m.s.locks.acquire([]string{"any"})
	defer m.s.locks.release(held)
	var live int64
	err := m.s.each([]byte{spaceEntry}, []byte{spaceEntry + 1}, func(k, v []byte) (bool, error) {
		r, err := parseRecord(v)
		live += r.size(string(k[1:]))
		return true, err
	})
	if err != nil || live != m.s.bound.live {
		t.Fatalf("the entries count %d bytes, and the store believes %d, %v", live, m.s.bound.live, err)
	}
}

func TestModel(t *testing.T) {
	for name, settings := range map[string][]string{
		"unbounded": {"sync", "never", "reserve", "0"},
		"bounded":   {"sync", "never", "reserve", "0", "max_bytes", "1GiB"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			rapid.Check(t, func(rt *rapid.T) {
				m := &model{dir: dir, disk: vfs.NewMem(), settings: settings, clock: newTestClock(), want: map[string]cache.Entry{}}
				m.open(rt)
				defer func() { _ = m.s.Close() }()
				rt.Repeat(m.actions())
			})
		})
	}
}
