package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// What can go wrong only in a certain order of things.

// A process that dies while another takes over beside it leaves a bridge, and
// the other is told what is written there.
func TestDeathWhileAnotherTakesOver(t *testing.T) {
	for round := range 300 {
		f := &fakes{t: t, data: newData(t), make: sharedStore}
		s := openFake(t, Options{Fallback: FallbackMemory, Restart: Restart{MinDelay: time.Hour, MaxDelay: time.Hour}}, f.launch)
		put(t, s, "k", "older")
		old := f.last()
		next, err := f.launch()
		if err != nil {
			t.Fatal(err)
		}
		served := async(func() error { return s.serve(t.Context(), next) })
		old.die()
		completed := s.Set(t.Context(), "k", entry("newer")) == nil
		if err := <-served; err != nil {
			t.Fatal(err)
		}
		if e, ok, err := s.Get(t.Context(), "k"); err != nil || completed && ok && string(e.Value) != "newer" {
			t.Fatalf("round %d: k holds %q, %v", round, e.Value, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What one process was told in vain, another is told again.
func TestReplayInVain(t *testing.T) {
	b := newBridge(1, JournalLimits{Entries: 10_000, Bytes: 1 << 20}, true, false, 1<<20)
	before, vain := newData(t), newData(t)
	for i := range 1000 {
		put(t, before, fmt.Sprint(i), "older")
		e := entry("newer")
		if _, err := b.write(t.Context(), fmt.Sprint(i), &e); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	ill := &fickle{Memory: vain, before: func() error {
		if told++; told > 600 {
			return errCrashed
		}
		return nil
	}}
	if err := b.replay(t.Context(), ill, true, func() { t.Error("it serves") }); !errors.Is(err, errCrashed) {
		t.Fatalf("replay: %v", err)
	}
	if n := b.size().Entries; n != 1000 {
		t.Errorf("%d entries are to be told again", n)
	}
	if err := b.replay(t.Context(), before, true, func() {}); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		finds(t, before, fmt.Sprint(i), "newer")
	}
}

// A fill does not overwrite what the journal has and memory has given up, nor
// what there was no room for.
func TestFillAsksTheJournal(t *testing.T) {
	for name, limits := range map[string]JournalLimits{
		"memory has given it up": {Entries: 1000, Bytes: 4000},
		"there was no room":      {Entries: 1, Bytes: 1 << 20},
		"all was forgotten":      {Entries: 2, Bytes: 1 << 20},
	} {
		b := newBridge(1, limits, true, false, 1<<20)
		for i := range 61 {
			key, e := "k", entry("newest")
			if i > 0 {
				key, e = fmt.Sprint(i), entry("0")
			}
			if name == "there was no room" && i > 1 {
				break
			}
			if name == "there was no room" {
				key = []string{"first", "k"}[i]
			}
			if _, err := b.write(t.Context(), key, &e); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := b.fill(t.Context(), "k", entry("loaded before")); err != nil {
			t.Error(err)
		}
		if e, _, _ := b.get(t.Context(), "k"); string(e.Value) == "loaded before" {
			t.Errorf("%s: the fill is read in place of a newer value", name)
		}
		store := newData(t)
		if err := b.replay(t.Context(), store, true, func() {}); err != nil {
			t.Fatal(err)
		}
		if e, _, _ := store.Get(t.Context(), "k"); string(e.Value) == "loaded before" {
			t.Errorf("%s: the fill has overwritten a newer value", name)
		}
	}
}

// No call waits past its deadline to learn what has become of the plugin.
func TestNobodyIsLateForHealth(t *testing.T) {
	for name, c := range map[string]struct {
		make func(*fakePlug)
		err  error
	}{
		"an answer of an exclusive store": {func(*fakePlug) {}, fmt.Errorf("%w: the disk", cache.ErrUnavailable)},
		"a broken shared one":             {sharedStore, fmt.Errorf("%w: %w", cache.ErrUnavailable, shared.ErrBroken)},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakes{t: t, data: newData(t), make: c.make}
			s := openFake(t, Options{}, f.launch)
			f.last().answer(silent)
			f.last().wire.failing(func(string, string) error { return c.err })
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			began := time.Now()
			if err := s.Set(ctx, "k", entry("v")); err == nil {
				t.Errorf("%s: it is set", name)
			}
			waited(t, name, began, 0, 50*time.Millisecond)
		})
	}
}

// Calls without an answer make one check, not three at once.
func TestMissesAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t)}
		s := openFake(t, Options{}, f.launch)
		f.last().answer(notServing)
		for range 5 {
			s.supervisor.suspect()
			synctest.Wait()
		}
		if st := s.Status(); st.State != Ready {
			t.Errorf("it was ill for a moment, and is taken for dead: %+v", st)
		}
		time.Sleep(3 * suspicion)
		synctest.Wait()
		if st := s.Status(); st.Err == nil {
			t.Errorf("it was ill for seconds: %+v", st)
		}
	})
}

// Replacements that come to nothing are not failures of the plugin that is
// down.
func TestReplacementsDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t)}
		s := openFake(t, Options{Restart: Restart{MinDelay: time.Hour, MaxDelay: time.Hour}}, f.launch)
		f.last().die()
		synctest.Wait()
		cause := s.Status().Err
		for range 10 {
			h := handover{done: make(chan struct{}), do: func(context.Context, plug) (plug, error) { return nil, context.Canceled }}
			s.supervisor.handovers <- h
			<-h.done
		}
		synctest.Wait()
		if st := s.Status(); st.State != Degraded || st.Err != cause {
			t.Errorf("the status is %+v", st)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if st := s.Status(); st.State != Ready {
			t.Errorf("it was not started again: %+v", st)
		}
	})
}
