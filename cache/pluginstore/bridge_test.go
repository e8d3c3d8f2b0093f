package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// fickle is a store that fails at random, and may lose all it has when it does.
type fickle struct {
	*cache.Memory
	before func() error // of each call
}

func (f *fickle) SetMany(ctx context.Context, items []cache.Item) error {
	for _, it := range items {
		if err := f.Set(ctx, it.Key, it.Entry); err != nil {
			return err
		}
	}
	return nil
}

func (f *fickle) DeleteMany(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := f.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (f *fickle) Set(ctx context.Context, key string, e cache.Entry) error {
	if err := f.before(); err != nil {
		return err
	}
	return f.Memory.Set(ctx, key, e)
}

func (f *fickle) Delete(ctx context.Context, key string) error {
	if err := f.before(); err != nil {
		return err
	}
	return f.Memory.Delete(ctx, key)
}

func (f *fickle) Clear(ctx context.Context, prefix string) error {
	if err := f.before(); err != nil {
		return err
	}
	return f.Memory.Clear(ctx, prefix)
}

var errCrashed = fmt.Errorf("%w: crashed", cache.ErrUnavailable)

// Writers go on during the replay, and wait only while the last batch is told.
func TestWritersWaitForTheLastBatchOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		b := newBridge(1, JournalLimits{Entries: 1 << 20, Bytes: 1 << 30}, true, false, 1<<20)
		store := &fickle{Memory: newData(t)}
		write := func(key string) <-chan error {
			return async(func() error {
				ok, err := b.write(ctx, key, &cache.Entry{Value: []byte("v")})
				if err == nil && !ok {
					err = errEnded
				}
				return err
			})
		}
		const batches = 4
		for i := range batches * replayBatch {
			if err := errorOf(t, write(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		var late <-chan error
		calls := 0
		store.before = func() error {
			if calls++; calls%replayBatch != 1 {
				return nil
			}
			w := write(fmt.Sprint("during ", calls))
			synctest.Wait()
			if calls < (batches-1)*replayBatch {
				if err := errorOf(t, w); err != nil {
					t.Errorf("a write during batch %d: %v", calls/replayBatch+1, err)
				}
				return nil
			}
			select {
			case err := <-w:
				if calls > batches*replayBatch {
					t.Errorf("a write during the last batch did not wait: %v", err)
				}
			default:
				late = w
			}
			return nil
		}
		served := false
		err := b.replay(ctx, store, true, func() {
			served = true
			if n := b.journal.size(); n.Entries != 0 {
				t.Errorf("it serves with %+v in the journal", n)
			}
		})
		if err != nil || !served {
			t.Fatalf("replay: %v, and it serves: %v", err, served)
		}
		if late == nil {
			t.Fatal("no write had to wait")
		}
		if err := errorOf(t, late); !errors.Is(err, errEnded) {
			t.Errorf("the write that waited: %v; want that the bridge has ended", err)
		}
		finds(t, store.Memory, "during 1", "v")
	})
}

var errEnded = errors.New("the bridge has ended")

// A host that writes faster than its plugin is told is done all the same, and
// no write waits long.
func TestReplayOfAHostThatWritesFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(1, JournalLimits{Entries: 1 << 20, Bytes: 1 << 30}, true, false, 1<<20)
		const first, writers = 2 * replayBatch, 20
		for i := range first {
			if _, err := b.write(t.Context(), fmt.Sprint(i), nil); err != nil {
				t.Fatal(err)
			}
		}
		// It takes a millisecond for each; the host writes twenty meanwhile.
		calls := 0
		store := &fickle{Memory: newData(t), before: func() error {
			time.Sleep(time.Millisecond)
			if calls++; calls > 100*first {
				return errCrashed
			}
			return nil
		}}
		var writing sync.WaitGroup
		var longest time.Duration
		var mu sync.Mutex
		for w := range writers {
			writing.Go(func() {
				for i := 0; ; i++ {
					began := time.Now()
					ok, err := b.write(t.Context(), fmt.Sprint("fresh ", w, " ", i), nil)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					longest = max(longest, time.Since(began))
					mu.Unlock()
					if !ok || err != nil {
						return
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		if err := b.replay(t.Context(), store, true, func() {}); err != nil {
			t.Errorf("after %d calls: %v", calls, err)
			b.end()
		}
		writing.Wait()
		if longest > 2*gateLimits*gateShare {
			t.Errorf("a write waited for %v", longest)
		}
		t.Logf("%d calls; no write waited for more than %v", calls, longest)
	})
}

// Behind the gate of a slow plugin no write waits long.
func TestGateOfASlowPlugin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(1, JournalLimits{Entries: 1 << 20, Bytes: 1 << 30}, true, false, 1<<20)
		for i := range 400 {
			if _, err := b.write(t.Context(), fmt.Sprint(i), nil); err != nil {
				t.Fatal(err)
			}
		}
		store := &fickle{Memory: newData(t), before: func() error { time.Sleep(20 * time.Millisecond); return nil }}
		replayed := async(func() error { return b.replay(t.Context(), store, true, func() {}) })
		for i := 0; ; i++ {
			began := time.Now()
			ok, err := b.write(t.Context(), fmt.Sprint(i%400), nil)
			if waited := time.Since(began); err != nil || waited > 2*gateLimits*gateShare {
				t.Errorf("a write waited for %v, %v", waited, err)
			}
			if !ok {
				break
			}
			time.Sleep(time.Second)
		}
		if err := errorOf(t, replayed); err != nil {
			t.Error(err)
		}
	})
}

// A writer who waits at the gate may give up, and a replay that fails lets the
// others in.
func TestGateOpensWhenReplayFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(1, JournalLimits{Entries: 10, Bytes: 1 << 20}, true, false, 1<<20)
		if _, err := b.write(t.Context(), "k", nil); err != nil {
			t.Fatal(err)
		}
		store := &fickle{Memory: newData(t)}
		impatient, giveUp := context.WithCancel(t.Context())
		var gaveUp, waited <-chan error
		store.before = func() error {
			gaveUp = async(func() error { _, err := b.write(impatient, "a", nil); return err })
			waited = async(func() error {
				ok, err := b.write(t.Context(), "b", nil)
				if err == nil && !ok {
					err = errEnded
				}
				return err
			})
			synctest.Wait()
			giveUp()
			if err := errorOf(t, gaveUp); !errors.Is(err, context.Canceled) {
				t.Errorf("who gave up: %v", err)
			}
			return errCrashed
		}
		if err := b.replay(t.Context(), store, true, func() { t.Error("it serves") }); !errors.Is(err, errCrashed) {
			t.Errorf("replay: %v", err)
		}
		if err := errorOf(t, waited); err != nil {
			t.Errorf("who waited: %v", err)
		}
		if n := b.size().Entries; n != 2 {
			t.Errorf("the journal has %d entries, want those of the replay that failed and of who waited", n)
		}
	})
}

// An entry that the store does not take is emptied there: what it had is older.
func TestReplayOfAnEntryThatIsRefused(t *testing.T) {
	b := newBridge(1, JournalLimits{Entries: 10, Bytes: 1 << 20}, true, false, 1<<20)
	store := &refuses{newData(t)}
	for _, key := range []string{"good", "bad"} {
		put(t, store.Memory, key, "before")
		if _, err := b.write(t.Context(), key, &cache.Entry{Value: []byte(key)}); err != nil {
			t.Fatal(err)
		}
	}
	served := false
	if err := b.replay(t.Context(), store, true, func() { served = true }); err != nil || !served {
		t.Fatalf("replay: %v, and it serves: %v", err, served)
	}
	finds(t, store, "good", "good")
	finds(t, store, "bad", "")
}

// refuses refuses one value, also in a batch.
type refuses struct{ *cache.Memory }

func (r *refuses) Set(ctx context.Context, key string, e cache.Entry) error {
	if string(e.Value) == "bad" {
		return cache.ErrTooLarge
	}
	return r.Memory.Set(ctx, key, e)
}

func (r *refuses) SetMany(ctx context.Context, items []cache.Item) error {
	for _, it := range items {
		if err := r.Set(ctx, it.Key, it.Entry); err != nil {
			return err
		}
	}
	return nil
}

// A store that is to be cleared, and could not be, is still to be cleared.
func TestClearThatFailsIsRepeated(t *testing.T) {
	b := newBridge(1, JournalLimits{Entries: 1, Bytes: 1 << 20}, true, false, 1<<20)
	store := &fickle{Memory: newData(t)}
	put(t, store.Memory, "0", "stale")
	for i := range 11 {
		if _, err := b.write(t.Context(), fmt.Sprint(i), nil); err != nil {
			t.Fatal(err)
		}
	}
	store.before = func() error { return errCrashed }
	if err := b.replay(t.Context(), store, true, func() { t.Error("it serves") }); !errors.Is(err, errCrashed) {
		t.Errorf("replay: %v", err)
	}
	if !b.size().Clear {
		t.Error("the store is not to be cleared any more")
	}
	store.before = func() error { return nil }
	if err := b.replay(t.Context(), store, true, func() {}); err != nil {
		t.Errorf("replay: %v", err)
	}
	finds(t, store.Memory, "0", "")
}
