package cache_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func TestGetOrLoadLoadsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[[]byte](t, cache.Options{})
		var loads atomic.Int32
		load := func(context.Context) ([]byte, error) {
			loads.Add(1)
			time.Sleep(time.Second)
			return []byte("v"), nil
		}
		results := make([][]byte, 100)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() { results[i], _ = c.GetOrLoad(t.Context(), "k", load) })
		}
		wg.Wait()
		if n := loads.Load(); n != 1 {
			t.Errorf("%d loads", n)
		}
		results[0][0] = 'X'
		for i, r := range results[1:] {
			if string(r) != "v" {
				t.Fatalf("caller %d got %q: results are not each caller's own", i+1, r)
			}
		}
		wantValue(t, c, "k", []byte("v"))
	})
}

func TestGetOrLoadStoresWithTheOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[string](t, cache.Options{})
		load := func(context.Context) (string, error) { return "v", nil }
		if _, err := c.GetOrLoad(t.Context(), "k", load, cache.TTL(time.Minute)); err != nil {
			t.Fatal(err)
		}
		wantValue(t, c, "k", "v")
		time.Sleep(time.Minute)
		wantMiss(t, c, "k")
		if _, err := c.GetOrLoad(t.Context(), "k", load, cache.TTL(-1)); !errors.Is(err, cache.ErrInvalidTTL) {
			t.Errorf("negative TTL: %v", err)
		}
	})
}

func TestGetOrLoadSurvivesItsFirstCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[string](t, cache.Options{})
		load := func(ctx context.Context) (string, error) {
			select {
			case <-time.After(time.Second):
				return "v", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		first, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.GetOrLoad(first, "k", load); !errors.Is(err, context.Canceled) {
				t.Errorf("the caller that gave up: %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if v, err := c.GetOrLoad(t.Context(), "k", load); v != "v" || err != nil {
				t.Errorf("the other caller: %q, %v", v, err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

func TestGetOrLoadHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[string](t, cache.Options{LoadTimeout: time.Second})
		_, err := c.GetOrLoad(t.Context(), "k", func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a load that hangs: %v", err)
		}
	})
}

// What happens to a key while it is being loaded makes the load's result old.
func TestALoadDoesNotUndoAWrite(t *testing.T) {
	writes := map[string]struct {
		do    func(t *testing.T, c *cache.Cache[string])
		after string // "" is a miss
	}{
		"set":        {func(t *testing.T, c *cache.Cache[string]) { mustSet(t, c, "k", "new") }, "new"},
		"delete":     {func(t *testing.T, c *cache.Cache[string]) { mustDelete(t, c, "k") }, ""},
		"set others": {func(t *testing.T, c *cache.Cache[string]) { mustSet(t, c, "other", "new") }, "loaded"},
		"clear":      {func(t *testing.T, c *cache.Cache[string]) { _ = c.Clear(t.Context(), "") }, ""},
		"set many": {func(t *testing.T, c *cache.Cache[string]) {
			_ = c.SetMany(t.Context(), map[string]string{"k": "new"})
		}, "new"},
		"delete many":   {func(t *testing.T, c *cache.Cache[string]) { _ = c.DeleteMany(t.Context(), []string{"k"}) }, ""},
		"set if absent": {func(t *testing.T, c *cache.Cache[string]) { _, _ = c.SetIfAbsent(t.Context(), "k", "new") }, "new"},
		"compare and swap": {func(t *testing.T, c *cache.Cache[string]) {
			_, _ = c.CompareAndSwap(t.Context(), "k", "old", "new")
		}, ""},
		"compare and delete": {func(t *testing.T, c *cache.Cache[string]) {
			_, _ = c.CompareAndDelete(t.Context(), "k", "old")
		}, ""},
		"increment": {func(t *testing.T, c *cache.Cache[string]) { _, _, _ = c.Increment(t.Context(), "k", 1) }, "1"},
		"update": {func(t *testing.T, c *cache.Cache[string]) {
			_ = c.Update(t.Context(), "k", func(string, bool) (string, error) { return "new", nil })
		}, "new"},
	}
	for name, w := range writes {
		t.Run(name, func(t *testing.T) {
			// Without an Adder the load's result can only be kept out by knowing
			// of the write.
			for _, store := range []cache.Store{openMemory(t), noAdder{openMemory(t)}} {
				if _, ok := store.(noAdder); ok && (name == "update" || name == "set if absent") {
					continue
				}
				c := newCache[string](t, cache.Options{Store: store})
				_, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (string, error) {
					w.do(t, c)
					return "loaded", nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if w.after == "" {
					wantMiss(t, c, "k")
				} else {
					wantValue(t, c, "k", w.after)
				}
			}
		})
	}
}

// noAdder is a Memory that cannot SetIfAbsent.
type noAdder struct{ *cache.Memory }

func (noAdder) Capabilities() cache.Capability {
	return cache.CanBatch | cache.CanCount | cache.CanScan | cache.CanClear
}

// A caller that comes after a write must not be given a load from before it.
func TestALoadFromBeforeAWriteIsNotJoinedAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[string](t, cache.Options{})
		var source atomic.Value
		source.Store("old")
		load := func(context.Context) (string, error) {
			v := source.Load().(string)
			time.Sleep(time.Second)
			return v, nil
		}
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.GetOrLoad(t.Context(), "k", load) })
		synctest.Wait()
		source.Store("new")
		mustDelete(t, c, "k")
		if v, err := c.GetOrLoad(t.Context(), "k", load); v != "new" || err != nil {
			t.Errorf("after the delete: %q, %v", v, err)
		}
		wg.Wait()
		wantValue(t, c, "k", "new")
	})
}

// Another host's write during a load is newer than what was loaded.
func TestALoadGivesWayToOthers(t *testing.T) {
	m := openMemory(t)
	c := newCache[string](t, cache.Options{Store: m})
	v, err := c.GetOrLoad(t.Context(), "k", func(ctx context.Context) (string, error) {
		return "loaded", m.Set(ctx, "k", cache.Entry{Value: []byte("theirs")})
	})
	if v != "theirs" || err != nil {
		t.Errorf("GetOrLoad = %q, %v", v, err)
	}
	wantValue(t, c, "k", "theirs")
}

func TestGetOrLoadBridgesAnOutage(t *testing.T) {
	c := newCache[string](t, cache.Options{Store: down{}})
	v, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (string, error) { return "v", nil })
	if v != "v" || err != nil {
		t.Errorf("GetOrLoad = %q, %v", v, err)
	}
	if s := c.Stats(); s.Errors == 0 || s.Loads != 1 {
		t.Errorf("Stats = %+v", s)
	}
}

func TestGetOrLoadReplacesWhatCannotBeDecoded(t *testing.T) {
	m := openMemory(t)
	_ = m.Set(t.Context(), "k", cache.Entry{Value: []byte("{no json")})
	c := newCache[int](t, cache.Options{Store: m})
	if v, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Errorf("GetOrLoad = %d, %v", v, err)
	}
	wantValue(t, c, "k", 7)
}

func TestLoadsThatEndBadly(t *testing.T) {
	mine := errors.New("no such user")
	c := newCache[string](t, cache.Options{})
	loads := map[string]func(context.Context) (string, error){
		"no such user":   func(context.Context) (string, error) { return "", mine },
		"panicked: boom": func(context.Context) (string, error) { panic("boom") },
		"did not return": func(context.Context) (string, error) { runtime.Goexit(); return "", nil },
	}
	for text, load := range loads {
		_, err := c.GetOrLoad(t.Context(), "k", load)
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
		wantMiss(t, c, "k")
	}
	if _, err := c.GetOrLoad(t.Context(), "k", loads["no such user"]); !errors.Is(err, mine) {
		t.Errorf("the load's own error: %v", err)
	}
}

func TestCloseEndsLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[string](t, cache.Options{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.GetOrLoad(t.Context(), "k", func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a load when the cache closes: %v", err)
			}
		})
		synctest.Wait()
		_ = c.Close()
		wg.Wait()
		_, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (string, error) { return "v", nil })
		if !errors.Is(err, cache.ErrClosed) {
			t.Errorf("GetOrLoad after Close: %v", err)
		}
	})
}

// slowDelete is a store without an Adder whose Delete has done its work and
// has not returned yet until it is let go.
type slowDelete struct {
	noAdder
	applied, letGo chan struct{}
}

func (s slowDelete) Delete(ctx context.Context, key string) error {
	err := s.noAdder.Delete(ctx, key)
	close(s.applied)
	<-s.letGo
	return err
}

// The same three callers in each case: a load of the old value, a delete that
// takes its time, and a reader after the delete.
func TestALoadDuringADelete(t *testing.T) {
	setUp := func(t *testing.T) (*cache.Cache[string], slowDelete, func(context.Context) (string, error), chan struct{}) {
		s := slowDelete{noAdder{openMemory(t)}, make(chan struct{}), make(chan struct{})}
		loaded := make(chan struct{})
		load := func(context.Context) (string, error) { <-loaded; return "old", nil }
		return newCache[string](t, cache.Options{Store: s}), s, load, loaded
	}
	t.Run("begins before and ends within it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, s, load, loaded := setUp(t)
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = c.GetOrLoad(t.Context(), "k", load) })
			synctest.Wait()
			wg.Go(func() { mustDelete(t, c, "k") })
			<-s.applied
			close(loaded)
			synctest.Wait()
			close(s.letGo)
			wg.Wait()
			wantMiss(t, c, "k")
		})
	})
	t.Run("begins and ends within it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, s, load, loaded := setUp(t)
			var wg sync.WaitGroup
			wg.Go(func() { mustDelete(t, c, "k") })
			<-s.applied
			wg.Go(func() { _, _ = c.GetOrLoad(t.Context(), "k", load) })
			synctest.Wait()
			close(loaded)
			synctest.Wait()
			close(s.letGo)
			wg.Wait()
			wantMiss(t, c, "k")
		})
	})
	t.Run("begins within it and is not joined after it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, s, load, loaded := setUp(t)
			var wg sync.WaitGroup
			wg.Go(func() { mustDelete(t, c, "k") })
			<-s.applied
			wg.Go(func() { _, _ = c.GetOrLoad(t.Context(), "k", load) })
			synctest.Wait()
			close(s.letGo)
			synctest.Wait()
			v, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (string, error) { return "new", nil })
			if v != "new" || err != nil {
				t.Errorf("after the delete: %q, %v", v, err)
			}
			close(loaded)
			wg.Wait()
			wantValue(t, c, "k", "new")
		})
	})
}

// A context that ends during a miss is an error, not a value.
func TestGetOrLoadWithAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newCache[string](t, cache.Options{Store: cancelling{openMemory(t), cancel}})
	v, err := c.GetOrLoad(ctx, "k", func(context.Context) (string, error) { return "v", nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("GetOrLoad = %q, %v", v, err)
	}
}

// cancelling ends a caller's context while it answers.
type cancelling struct {
	*cache.Memory
	cancel context.CancelFunc
}

func (c cancelling) Get(context.Context, string) (cache.Entry, bool, error) {
	c.cancel()
	return cache.Entry{}, false, nil
}

// gated is a store without an Adder whose Set waits to be let go, if it is to.
type gated struct {
	noAdder
	gate func(e cache.Entry)
}

func (g gated) Set(ctx context.Context, key string, e cache.Entry) error {
	g.gate(e)
	return g.noAdder.Set(ctx, key, e)
}

// Of two loads only one stores its result at a time, even when a write between
// them gave up waiting: a later write must know which to wait for.
func TestOneFillAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		letGo := map[string]chan struct{}{"first": make(chan struct{}), "second": make(chan struct{})}
		c := newCache[string](t, cache.Options{Store: gated{noAdder{openMemory(t)}, func(e cache.Entry) { <-letGo[string(e.Value)] }}})
		load := func(v string) {
			_, _ = c.GetOrLoad(t.Context(), "k", func(context.Context) (string, error) { return v, nil })
		}
		var wg sync.WaitGroup
		wg.Go(func() { load("first") })
		synctest.Wait()
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Delete(impatient, "k"); !errors.Is(err, context.Canceled) {
			t.Errorf("a delete that gives up: %v", err)
		}
		wg.Go(func() { load("second") })
		synctest.Wait()
		close(letGo["first"])
		synctest.Wait()
		deleted := make(chan struct{})
		go func() {
			mustDelete(t, c, "k")
			close(deleted)
		}()
		synctest.Wait()
		close(letGo["second"])
		wg.Wait()
		<-deleted
		wantMiss(t, c, "k")
	})
}

// What was loaded and could not be stored for sure is not there afterwards.
func TestAFillOfUnknownOutcomeIsTakenBack(t *testing.T) {
	m := openMemory(t)
	c := newCache[string](t, cache.Options{Store: unsure{noAdder{m}}})
	v, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (string, error) { return "v", nil })
	if v != "v" || err != nil {
		t.Errorf("GetOrLoad = %q, %v", v, err)
	}
	wantMiss(t, c, "k")
}

// unsure sets and does not say so.
type unsure struct{ noAdder }

func (u unsure) Set(ctx context.Context, key string, e cache.Entry) error {
	_ = u.noAdder.Set(ctx, key, e)
	return cache.ErrUnavailable
}

// A store whose clock is late returns what has expired; nobody is given it.
func TestExpiredEntryOfASlowClockIsLoadedAgain(t *testing.T) {
	c := newCache[string](t, cache.Options{Store: lateStore{}})
	v, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (string, error) { return "new", nil })
	if v != "new" || err != nil {
		t.Errorf("GetOrLoad = %q, %v", v, err)
	}
}

// Another host's value is not overwritten because it could not be read, and a
// store that is down is asked once.
func TestALoadThatCouldNotReadStoresNothing(t *testing.T) {
	m := openMemory(t)
	store := &blinking{Memory: m}
	c := newCache[string](t, cache.Options{Store: store})
	v, err := c.GetOrLoad(t.Context(), "k", func(ctx context.Context) (string, error) {
		return "loaded", m.Set(ctx, "k", cache.Entry{Value: []byte("theirs")})
	})
	if v != "loaded" || err != nil || store.reads.Load() != 1 {
		t.Errorf("GetOrLoad = %q, %v, after %d reads", v, err, store.reads.Load())
	}
	wantValue(t, c, "k", "theirs")
}

// blinking cannot be read the first time.
type blinking struct {
	*cache.Memory
	reads atomic.Int32
}

func (b *blinking) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	if b.reads.Add(1) <= 1 {
		return cache.Entry{}, false, cache.ErrUnavailable
	}
	return b.Memory.Get(ctx, key)
}

// Writers change a source and then tell the cache; from then on nobody may be
// given what the source held before.
func TestNobodyReadsAStaleLoad(t *testing.T) {
	for name, store := range map[string]cache.Store{"adder": openMemory(t), "no adder": noAdder{openMemory(t)}} {
		t.Run(name, func(t *testing.T) {
			c := newCache[int64](t, cache.Options{Store: store})
			var source, told atomic.Int64
			var writing sync.Mutex
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var wg sync.WaitGroup
			for i := range 2 {
				wg.Go(func() {
					for ctx.Err() == nil {
						writing.Lock()
						v := source.Add(1)
						if i == 0 {
							mustDelete(t, c, "k")
						} else {
							mustSet(t, c, "k", v)
						}
						told.Store(v)
						writing.Unlock()
					}
				})
			}
			for range 4 {
				wg.Go(func() {
					for ctx.Err() == nil {
						least := told.Load()
						v, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (int64, error) {
							v := source.Load()
							runtime.Gosched()
							return v, nil
						})
						if err != nil || v < least {
							t.Errorf("GetOrLoad = %d, %v after %d was told", v, err, least)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
