package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// Writers write on while replays fail in their middle and are repeated, to a
// store that lost nothing or everything. Each key has one writer, who checks
// after each of his writes that he finds it or nothing; and so it is at the end.
func TestReplayUnderWriters(t *testing.T) {
	const writers, keysEach = 4, 300
	for _, c := range []struct {
		name   string
		limits JournalLimits
		loses  bool // all, whenever it fails
		exact  bool // no write may be missing
	}{
		{"nothing is lost", JournalLimits{Entries: 1 << 20, Bytes: 1 << 30}, false, true},
		{"all is lost", JournalLimits{Entries: 1 << 20, Bytes: 1 << 30}, true, false},
		{"values are dropped", JournalLimits{Entries: writers * keysEach / 3, Bytes: 1 << 30}, false, false},
		{"keys are dropped", JournalLimits{Entries: writers * keysEach / 30, Bytes: 1 << 30}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(10) {
				replayUnderWriters(t, seed, writers, keysEach, c.limits, c.loses, c.exact)
				if t.Failed() {
					t.Fatalf("the seed was %d", seed)
				}
			}
		})
	}
}

// slowStore takes some time for each call and some for each key.
type slowStore struct {
	*cache.Memory
	call, key time.Duration
}

func (s slowStore) SetMany(ctx context.Context, items []cache.Item) error {
	if len(items) == 0 {
		return nil
	}
	time.Sleep(s.call + time.Duration(len(items))*s.key)
	return s.Memory.SetMany(ctx, items)
}

// A replay to a slow plugin ends, though writers write all the time, and slows none
// of them for long: be it that each write takes its time, or each batch does,
// however small.
func TestReplayToASlowPluginEnds(t *testing.T) {
	const writers, written = 8, 3000
	for name, slow := range map[string]slowStore{
		"batches take 1.5 s":        {call: 1500 * time.Millisecond},
		"batches take 0.3 s":        {call: 300 * time.Millisecond, key: time.Millisecond},
		"writes take 10 ms":         {key: 10 * time.Millisecond},
		"writes take 20 us":         {key: 20 * time.Microsecond},
		"batches take 20 ms":        {call: 20 * time.Millisecond},
		"batches take 0.1 s, at 16": {call: 100 * time.Millisecond, key: 6 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBridge(1, JournalLimits{Entries: 1 << 20, Bytes: 1 << 30}, true, true, 1<<20)
			slow.Memory = newData(t)
			for k := range written {
				if _, err := b.write(t.Context(), fmt.Sprint("old ", k), &cache.Entry{Value: []byte("v")}); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			longest := make([]time.Duration, writers)
			var all sync.WaitGroup
			for w := range writers {
				all.Go(func() {
					for n, served := 0, false; !served; n++ {
						before := time.Now()
						ok, err := b.write(t.Context(), fmt.Sprint(w, " ", n), &cache.Entry{Value: []byte("v")})
						if err != nil {
							t.Error(err)
							return
						}
						served = !ok
						longest[w] = max(longest[w], time.Since(before))
						time.Sleep(10 * time.Millisecond)
					}
				})
			}
			if err := b.replay(t.Context(), slow, true, func() {}); err != nil {
				t.Error(err)
			}
			took := time.Since(began)
			all.Wait()
			b.end()
			if took > 2*time.Minute {
				t.Errorf("%s: the replay took %v", name, took)
			}
			if most := slices.Max(longest); most > 2*longestWait {
				t.Errorf("%s: a write waited for %v", name, most)
			}
			t.Logf("%s: the replay took %v, and a write %v at most", name, took, slices.Max(longest))
		})
	}
}

func replayUnderWriters(t *testing.T, seed uint64, writers, keysEach int, limits JournalLimits, loses, exact bool) {
	ctx := context.Background()
	b := newBridge(1, limits, true, false, 1<<20)
	store := &fickle{Memory: newData(t)}
	for w := range writers {
		for k := range keysEach {
			put(t, store.Memory, fmt.Sprint(w, " ", k), "stale")
		}
	}
	// The replay is one goroutine, and so is who may use this.
	random := rand.New(rand.NewPCG(seed, 1))
	var served atomic.Bool
	failures := 6
	store.before = func() error {
		if served.Load() || failures == 0 || random.IntN(150) != 0 {
			return nil
		}
		failures--
		if loses {
			if err := store.Memory.Clear(ctx, ""); err != nil {
				t.Error(err)
			}
		}
		return errCrashed
	}

	var all sync.WaitGroup
	stop := make(chan struct{})
	warm := make(chan struct{}, writers)
	lasts := make([]map[string]string, writers)
	for w := range writers {
		last := make(map[string]string)
		lasts[w] = last
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(w+2)))
			for n := 0; ; n++ {
				if n == 200 {
					warm <- struct{}{}
				}
				if n > 200 {
					select {
					case <-stop:
						return
					default:
					}
				}
				key := fmt.Sprint(w, " ", random.IntN(keysEach))
				var e *cache.Entry
				text := ""
				if random.IntN(3) > 0 {
					text = fmt.Sprint(n)
					e = &cache.Entry{Value: []byte(text)}
				}
				read := b.get
				ok, err := b.write(ctx, key, e)
				if err == nil && !ok {
					read = store.Get
					if e != nil {
						err = store.Set(ctx, key, *e)
					} else {
						err = store.Delete(ctx, key)
					}
				}
				if err != nil {
					t.Errorf("write of %s: %v", key, err)
					return
				}
				last[key] = text
				got, found, err := read(ctx, key)
				if err != nil || (found && string(got.Value) != text) {
					t.Errorf("%s holds %q, %v; the last write was %q", key, got.Value, err, text)
				}
			}
		})
	}
	for range writers {
		<-warm
	}
	for {
		err := b.replay(ctx, store, true, func() { served.Store(true) })
		if err == nil {
			break
		}
		if !errors.Is(err, errCrashed) {
			t.Errorf("replay: %v", err)
			break
		}
	}
	b.end()
	close(stop)
	all.Wait()
	for w := range writers {
		for k := range keysEach {
			key := fmt.Sprint(w, " ", k)
			text, written := lasts[w][key]
			e, found, err := store.Memory.Get(ctx, key)
			switch {
			case err != nil:
				t.Error(err)
			case found && !written && string(e.Value) != "stale", found && written && string(e.Value) != text:
				t.Errorf("at the end %s holds %q; the last write was %q (%v)", key, e.Value, text, written)
			case exact && written && !found && text != "":
				t.Errorf("at the end %s holds nothing; the last write was %q", key, text)
			case exact && !written && !found:
				t.Errorf("at the end %s, which nobody wrote, holds nothing", key)
			}
		}
	}
}
