//go:build linux

package pluginstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

// load has callers use the store, each with keys of its own, until the returned
// function is called, which then checks what the store holds. No call may fail,
// and none may find anything but what was written last, or nothing.
func load(t *testing.T, s *pluginstore.Store) (finish func()) {
	t.Helper()
	const callers, keys = 4, 5
	ctx := context.WithoutCancel(t.Context())
	stop := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	var calls [callers]int
	var misses int
	last := make(map[string]string)
	for c := range callers {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				key, text := fmt.Sprint("key ", c, " ", n%keys), fmt.Sprint(n)
				var err error
				if n%7 == 6 {
					text = ""
					err = s.Delete(ctx, key)
				} else {
					err = s.Set(ctx, key, value(text))
				}
				if err != nil {
					t.Errorf("write %d of %s: %v", n, key, err)
					return
				}
				e, ok, err := s.Get(ctx, key)
				if err != nil || (ok && string(e.Value) != text) {
					t.Errorf("%s holds %q, %v; the last write was %q", key, e.Value, err, text)
				}
				mu.Lock()
				calls[c] += 2
				if !ok && text != "" {
					misses++
				}
				last[key] = text
				mu.Unlock()
			}
		})
	}
	// busy waits until each caller has written all its keys; one of its writes
	// may have begun before.
	busy := func() {
		t.Helper()
		mu.Lock()
		before := calls
		mu.Unlock()
		for c := range callers {
			until(t, "calls are made", func() bool { mu.Lock(); defer mu.Unlock(); return calls[c] >= before[c]+2*(keys+1) })
		}
	}
	busy()
	return func() {
		t.Helper()
		// A store that is shared from now on was told of what memory took that
		// these keys are empty.
		busy()
		close(stop)
		all.Wait()
		t.Logf("%v calls, %d misses", calls, misses)
		for key, text := range last {
			holds(t, s, key, text)
		}
	}
}

func TestReplaceUnderLoad(t *testing.T) {
	for _, c := range []struct {
		name, store string
		fallback    pluginstore.Fallback
		overlap     bool // the old process and the new one serve side by side
	}{
		{"exclusive, memory bridges", "own", pluginstore.FallbackAuto, false},
		{"exclusive, calls wait", "own", pluginstore.FallbackNone, false},
		{"shared", "common", pluginstore.FallbackAuto, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			dir := t.TempDir()
			var changes states
			o := l.brisk()
			o.OnChange, o.Fallback = changes.add, c.fallback
			s := l.open(t, c.store+":"+dir, o)
			finish := load(t, s)
			for i := range 2 {
				before := s.PID()
				if err := s.Replace(t.Context(), ""); err != nil {
					t.Errorf("Replace: %v", err)
				}
				until(t, "the plugin serves", inState(s, pluginstore.Ready))
				if st := s.Status(); st.PID == before || st.PID == 0 || st.Generation != uint64(i+2) || st.Restarts != 0 || st.Err != nil {
					t.Errorf("it was process %d; the status is %+v", before, st)
				}
			}
			finish()
			if met := len(met(t, dir)); (met == 2) != c.overlap || (met == 0) == c.overlap {
				t.Errorf("of 2 processes %d began while the one before them ran", met)
			}
			want := "starting ready degraded ready degraded ready"
			if c.overlap {
				want = "starting ready ready ready" // of three processes
			}
			until(t, "changes are "+want, func() bool { return changes.String() == want })
		})
	}
}

// A new program that does not come to serve well leaves the old one serving,
// which another would follow.
func TestReplaceRollsBack(t *testing.T) {
	for _, c := range []struct {
		name, store, program string
		is                   error
		says                 string
		untouched            bool   // the old process goes on
		generation           uint64 // of the last that came so far as to be asked for its health
	}{
		{"not serving", "own", "harpia-store-sick", cache.ErrUnavailable, "NOT_SERVING", false, 3},
		{"dies meanwhile", "own", "harpia-store-mortal", cache.ErrUnavailable, "the plugin mortal", false, 3},
		{"refuses its settings", "own", "harpia-store-three", pluginstore.ErrURL, "three", false, 3},
		{"does not open its store", "own", "harpia-store-unwilling", nil, "not today", false, 3},
		{"is no plugin", "own", "harpia-store-exits", pluginstore.ErrStart, "no license found", true, 1},
		{"is not there", "own", "harpia-store-nowhere", pluginstore.ErrNotFound, "harpia-store-nowhere", true, 1},
		{"shared, not serving", "common", "harpia-store-sick-common", cache.ErrUnavailable, "NOT_SERVING", true, 2},
		{"shared, dies meanwhile", "common", "harpia-store-mortal-common", cache.ErrUnavailable, "the plugin mortal", true, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			s := l.open(t, c.store+":"+t.TempDir(), quick(l.brisk()))
			finish := load(t, s)
			before := s.PID()
			err := s.Replace(t.Context(), filepath.Join(l.dirs[0], c.program))
			if err == nil || (c.is != nil && !errors.Is(err, c.is)) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Replace: %v; want %v and %q", err, c.is, c.says)
			}
			until(t, "the plugin serves", inState(s, pluginstore.Ready))
			finish()
			if same := s.PID() == before; same != c.untouched || s.Info().Name != c.store {
				t.Errorf("the same process serves: %v, and it is %s", same, s.Info().Name)
			}
			if st := s.Status(); st.Generation != c.generation || st.Restarts != 0 {
				t.Errorf("the status is %+v, want generation %d", st, c.generation)
			}
			if c.name != "not serving" {
				return
			}
			before = s.PID()
			kill(t, s)
			until(t, "another process serves", func() bool { return s.PID() != before && s.PID() != 0 })
			if s.Info().Name != c.store {
				t.Errorf("after a death %s serves", s.Info().Name)
			}
			holds(t, s, "nobody's", "")
		})
	}
}

// What replaced a program is what another process of it runs; it may be
// another store, and take the same data over.
func TestReplacedProgramIsStartedAgain(t *testing.T) {
	l := newLab(t)
	s := l.open(t, "own:"+t.TempDir(), quick(l.brisk()))
	finish := load(t, s)
	if err := s.Replace(t.Context(), filepath.Join(l.dirs[0], "harpia-store-common")); err != nil {
		t.Errorf("Replace: %v", err)
	}
	finish()
	if err := s.Set(t.Context(), "k", value("v")); err != nil {
		t.Error(err)
	}
	before := s.PID()
	kill(t, s)
	until(t, "another process serves", func() bool { return s.PID() != before && s.PID() != 0 })
	if name := s.Info().Name; name != "common" {
		t.Errorf("after a death %s serves", name)
	}
	holds(t, s, "k", "v")
}

func TestReplaceRefusesUntrustedPrograms(t *testing.T) {
	l := newLab(t)
	mark := filepath.Join(t.TempDir(), "mark")
	program := filepath.Join(t.TempDir(), "harpia-store-own")
	text := fmt.Appendf(nil, "#!/bin/sh\necho ran >> '%s'\n", mark)
	if err := os.WriteFile(program, text, 0o700); err != nil {
		t.Fatal(err)
	}
	o := l.options()
	pinned := []byte("what it was")
	o.Locks = []string{lockOf(t, "own", pinned)}
	s := l.open(t, "own:"+t.TempDir(), o)
	before := s.Status()
	err := s.Replace(t.Context(), program)
	if !errors.Is(err, pluginstore.ErrChanged) {
		t.Errorf("Replace: %v", err)
	}
	for _, bytes := range [][]byte{text, pinned} {
		if sum := digest(bytes); err == nil || !strings.Contains(err.Error(), sum) {
			t.Errorf("Replace: %v\ndoes not say: %s", err, sum)
		}
	}
	if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
		t.Error("the program was run")
	}
	if after := s.Status(); !reflect.DeepEqual(after, before) {
		t.Errorf("the status was %+v and is %+v", before, after)
	}
}

// A plugin that is down, for now or for good, is started by a Replace at once,
// and told what it missed.
func TestReplaceWhileDown(t *testing.T) {
	for name, failures := range map[string]int{"waiting": 5, "failed": 1} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			o := patient(l.brisk())
			o.Restart.Failures = failures
			s := l.open(t, "own:"+t.TempDir(), o)
			kill(t, s)
			if err := s.Set(t.Context(), "k", value("meanwhile")); err != nil {
				t.Error(err)
			}
			until(t, "the death is reported", func() bool { return s.Status().Err != nil })
			if err := s.Replace(t.Context(), filepath.Join(l.dirs[0], "harpia-store-exits")); !errors.Is(err, pluginstore.ErrStart) {
				t.Errorf("Replace with what does not start: %v", err)
			}
			if err := s.Replace(t.Context(), ""); err != nil {
				t.Errorf("Replace: %v", err)
			}
			until(t, "the plugin serves", inState(s, pluginstore.Ready))
			if st := s.Status(); st.Fallback || st.Journal != (pluginstore.JournalSize{}) {
				t.Errorf("the status is %+v", st)
			}
			holds(t, s, "k", "meanwhile")
		})
	}
}

func TestReplaceWhenThereIsNothingToReplace(t *testing.T) {
	l := newLab(t)
	s := l.open(t, "own:"+t.TempDir(), l.options())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Replace(t.Context(), ""); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("of a closed store: %v", err)
	}
	if err := l.open(t, "memory", l.options()).Replace(t.Context(), ""); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("of a store in this process: %v", err)
	}
}

// Who asked may give up until the new program has started; nothing has changed
// then.
func TestReplaceIsGivenUp(t *testing.T) {
	l := newLab(t)
	s := l.open(t, "own:"+t.TempDir(), l.options())
	before := s.Status()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Replace(ctx, filepath.Join(l.dirs[0], "harpia-store-silent")) }()
	until(t, "the new program runs", func() bool { return running(t, filepath.Join(l.dirs[0], "harpia-store-silent")) })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Replace: %v", err)
	}
	if after := s.Status(); after.PID != before.PID || after.State != pluginstore.Ready || after.Generation != before.Generation {
		t.Errorf("the status was %+v and is %+v", before, after)
	}
	if err := s.Replace(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Replace, given up before it began: %v", err)
	}
	// The store can be closed while a program starts that never will.
	go func() { done <- s.Replace(t.Context(), filepath.Join(l.dirs[0], "harpia-store-silent")) }()
	until(t, "the new program runs", func() bool { return running(t, filepath.Join(l.dirs[0], "harpia-store-silent")) })
	start := time.Now()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	t.Logf("Close took %v", time.Since(start))
	if err := <-done; err == nil {
		t.Error("Replace of a store that was closed meanwhile succeeded")
	}
}
