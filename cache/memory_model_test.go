package cache_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/harpia-go/harpia/cache"
)

// memoryModel is what an unbounded Memory does, said in the plainest way.
type memoryModel map[string]cache.Entry

func (m memoryModel) get(key string) (cache.Entry, bool) {
	e, ok := m[key]
	return e, ok && !e.Expired(time.Now())
}

func (m memoryModel) set(key string, e cache.Entry) {
	e.Expires = e.Expires.Truncate(time.Millisecond)
	m[key] = e
}

func (m memoryModel) keys(prefix string) []string {
	keys := []string{}
	for key := range m {
		if _, ok := m.get(key); ok && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func TestMemoryFollowsTheModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Check would ask a *testing.T for its deadline, which has none here.
		rapid.Check(struct{ rapid.TB }{t}, checkMemoryModel)
	})
}

func checkMemoryModel(t *rapid.T) {
	ctx := context.Background()
	m, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	model := memoryModel{}

	// Few keys, so that they meet, and now and then many, so that tables grow.
	drawKey := func() string { return rapid.SampledFrom([]string{"a", "ab", "b", "b\x00", "\xff"}).Draw(t, "key") }
	drawValue := func() []byte { return []byte(rapid.SampledFrom([]string{"", "1", "-5", "x", "null"}).Draw(t, "value")) }
	drawExpires := func() time.Time {
		if rapid.Bool().Draw(t, "forever") {
			return time.Time{}
		}
		return time.Now().Add(time.Duration(rapid.IntRange(-2000, 200_000).Draw(t, "expires in µs")) * time.Microsecond)
	}
	drawEntry := func() cache.Entry { return cache.Entry{Value: drawValue(), Expires: drawExpires()} }
	agree := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Fatalf("%s = %v, %v; want %v", what, got, err, want)
		}
	}

	t.Repeat(map[string]func(*rapid.T){
		"Set": func(t *rapid.T) {
			key, e := drawKey(), drawEntry()
			model.set(key, e)
			agree("Set", nil, nil, m.Set(ctx, key, e))
		},
		"SetMany": func(t *rapid.T) {
			n, e := rapid.IntRange(1, 200).Draw(t, "n"), drawEntry()
			items := make([]cache.Item, n)
			for i := range items {
				items[i] = cache.Item{Key: "many" + strconv.Itoa(i), Entry: e}
				model.set(items[i].Key, e)
			}
			agree("SetMany", nil, nil, m.SetMany(ctx, items))
		},
		"DeleteMany": func(t *rapid.T) {
			var keys []string
			for i := range rapid.IntRange(0, 200).Draw(t, "n") {
				keys = append(keys, "many"+strconv.Itoa(i))
				delete(model, keys[i])
			}
			agree("DeleteMany", nil, nil, m.DeleteMany(ctx, keys))
		},
		"Delete": func(t *rapid.T) {
			key := drawKey()
			delete(model, key)
			agree("Delete", nil, nil, m.Delete(ctx, key))
		},
		"SetIfAbsent": func(t *rapid.T) {
			key, e := drawKey(), drawEntry()
			_, found := model.get(key)
			if !found {
				model.set(key, e)
			}
			got, err := m.SetIfAbsent(ctx, key, e)
			agree("SetIfAbsent", got, !found, err)
		},
		"CompareAndSwap": func(t *rapid.T) {
			key, old, e := drawKey(), drawValue(), drawEntry()
			now, found := model.get(key)
			match := found && string(now.Value) == string(old)
			if match {
				model.set(key, e)
			}
			got, err := m.CompareAndSwap(ctx, key, old, e)
			agree("CompareAndSwap", got, match, err)
		},
		"CompareAndDelete": func(t *rapid.T) {
			key, old := drawKey(), drawValue()
			now, found := model.get(key)
			match := found && string(now.Value) == string(old)
			if match {
				delete(model, key)
			}
			got, err := m.CompareAndDelete(ctx, key, old)
			agree("CompareAndDelete", got, match, err)
		},
		"Increment": func(t *rapid.T) {
			key, delta, expires := drawKey(), rapid.Int64Range(-3, 3).Draw(t, "delta"), drawExpires()
			e, found := model.get(key)
			if !found {
				e = cache.Entry{Value: []byte("0"), Expires: expires.Truncate(time.Millisecond)}
			}
			value, want, wantErr := cache.Add(e.Value, delta)
			got, gotExpires, err := m.Increment(ctx, key, delta, expires)
			if wantErr != nil {
				agree("Increment's error", fmt.Sprint(err), wantErr.Error(), nil)
				return
			}
			model.set(key, cache.Entry{Value: value, Expires: e.Expires})
			agree("Increment", got, want, err)
			agree("Increment's expiry", gotExpires.Equal(e.Expires), true, nil)
		},
		"Touch": func(t *rapid.T) {
			key, expires := drawKey(), drawExpires()
			e, found := model.get(key)
			if found {
				model.set(key, cache.Entry{Value: e.Value, Expires: expires})
			}
			got, err := m.Touch(ctx, key, expires)
			agree("Touch", got, found, err)
		},
		"Clear": func(t *rapid.T) {
			prefix := rapid.SampledFrom([]string{"", "a", "b", "many1", "\xff"}).Draw(t, "prefix")
			maps.DeleteFunc(model, func(key string, _ cache.Entry) bool { return strings.HasPrefix(key, prefix) })
			agree("Clear", nil, nil, m.Clear(ctx, prefix))
		},
		"wait": func(t *rapid.T) {
			time.Sleep(time.Duration(rapid.IntRange(1, 50_000).Draw(t, "µs")) * time.Microsecond)
		},
		"wait for the sweep": func(t *rapid.T) {
			time.Sleep(time.Second)
			synctest.Wait()
			agree("entries after all sweeps", m.Stats().Entries, len(model.keys("")), nil)
		},
		"": func(t *rapid.T) {
			for _, prefix := range []string{"", "b"} {
				keys := []string{}
				for key, err := range m.Scan(ctx, prefix) {
					agree("Scan", nil, nil, err)
					keys = append(keys, key)
				}
				slices.Sort(keys)
				agree("the keys of Scan", fmt.Sprintf("%q", keys), fmt.Sprintf("%q", model.keys(prefix)), nil)
			}
			for key := range model {
				want, found := model.get(key)
				got, ok, err := m.Get(ctx, key)
				agree("Get finds "+strconv.Quote(key), ok, found, err)
				if found {
					agree("the value", string(got.Value), string(want.Value), nil)
					agree("the expiry", got.Expires.Equal(want.Expires), true, nil)
				}
			}
		},
	})
}
