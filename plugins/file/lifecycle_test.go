package main

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// everyCall calls each method once and returns what it says.
func everyCall(s *Store) map[string]error {
	ctx := context.Background()
	errs := map[string]error{}
	_, _, errs["Get"] = s.Get(ctx, "k")
	errs["Set"] = s.Set(ctx, "k", cache.Entry{})
	errs["Delete"] = s.Delete(ctx, "k")
	_, errs["GetMany"] = s.GetMany(ctx, []string{"k"})
	errs["SetMany"] = s.SetMany(ctx, []cache.Item{{Key: "k"}})
	errs["DeleteMany"] = s.DeleteMany(ctx, []string{"k"})
	_, errs["SetIfAbsent"] = s.SetIfAbsent(ctx, "k", cache.Entry{})
	_, errs["CompareAndSwap"] = s.CompareAndSwap(ctx, "k", nil, cache.Entry{})
	_, errs["CompareAndDelete"] = s.CompareAndDelete(ctx, "k", nil)
	_, _, errs["Increment"] = s.Increment(ctx, "n", 1, time.Time{})
	_, errs["Touch"] = s.Touch(ctx, "k", time.Time{})
	for _, errs["Scan"] = range s.Scan(ctx, "") {
	}
	errs["Clear"] = s.Clear(ctx, "")
	errs["Flush"] = s.Flush(ctx)
	return errs
}

func wantEvery(t *testing.T, s *Store, want error) {
	t.Helper()
	for method, err := range everyCall(s) {
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", method, err, want)
		}
	}
}

func TestBeforeConfigureAndAfterClose(t *testing.T) {
	s := &Store{}
	if got := s.Limits().MaxValue; got != cache.DefaultMaxValue {
		t.Errorf("Limits().MaxValue = %d before Configure, want %d", got, cache.DefaultMaxValue)
	}
	wantEvery(t, s, cache.ErrUnavailable)
	mustConfigure(t, s, t.TempDir())
	if err := configure(s, t.TempDir()); err == nil {
		t.Error("Configure succeeds twice")
	}
	for range 3 {
		mustClose(t, s)
		wantEvery(t, s, cache.ErrClosed)
	}
	if err := configure(s, t.TempDir()); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("Configure after Close: %v, want %v", err, cache.ErrClosed)
	}
}

func TestCloseUnconfigured(t *testing.T) {
	s := &Store{}
	mustClose(t, s)
	wantEvery(t, s, cache.ErrClosed)
}

func TestConfigureAgainAfterFailure(t *testing.T) {
	s := &Store{}
	if err := configure(s, "/dev/null"); err == nil {
		t.Fatal("a device is a store")
	}
	wantEvery(t, s, cache.ErrUnavailable)
	mustConfigure(t, s, t.TempDir())
	mustSet(t, s, "k", "v")
}

// Close waits for what is under way, and what comes later is told so: nothing
// else ever comes back.
func TestCloseDuringCalls(t *testing.T) {
	s := open(t, t.TempDir())
	var wg sync.WaitGroup
	begun := make(chan struct{}, 8)
	for range cap(begun) {
		wg.Go(func() {
			for first := true; ; first = false {
				for method, err := range everyCall(s) {
					if errors.Is(err, cache.ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("%s: %v", method, err)
						return
					}
				}
				if first {
					begun <- struct{}{}
				}
			}
		})
	}
	for range cap(begun) {
		<-begun
	}
	for range 2 {
		wg.Go(func() { mustClose(t, s) })
	}
	wg.Wait()
}

// A consumer may use the store while it scans, also when somebody else wants
// to close it.
func TestCloseDuringScan(t *testing.T) {
	s := open(t, t.TempDir())
	for _, key := range []string{"a", "b", "c"} {
		mustSet(t, s, key, key)
	}
	var closed chan error
	for key, err := range s.Scan(t.Context(), "") {
		if errors.Is(err, cache.ErrClosed) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if closed == nil {
			closed = make(chan error, 1)
			go func() { closed <- s.Close() }()
			for !s.closing.Load() {
				time.Sleep(time.Millisecond)
			}
		}
		if _, _, err := s.Get(t.Context(), key); err != nil && !errors.Is(err, cache.ErrClosed) {
			t.Errorf("Get(%q) in a scan: %v", key, err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
