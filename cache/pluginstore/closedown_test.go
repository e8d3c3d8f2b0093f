//go:build linux

package pluginstore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

// A store that is closed at the moment of its plugin's death tells another
// process what that one missed, and leaves nothing of either.
func TestCloseWhileThePluginDies(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	for range 10 {
		s, err := pluginstore.Open(t.Context(), "durable:"+dir, l.options())
		if err != nil {
			t.Fatal(err)
		}
		kill(t, s)
		if err := s.Set(t.Context(), "k", value("v")); err != nil {
			t.Errorf("Set: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if left, err := filepath.Glob(l.tmp + "/*"); err != nil || len(left) > 0 {
			t.Fatalf("it leaves %v, %v", left, err)
		}
	}
	holds(t, l.open(t, "durable:"+dir, l.options()), "k", "v")
}

// What is acknowledged while the store is closed and its plugin dies is there
// when it is opened again.
func TestCloseLosesNoWrite(t *testing.T) {
	l := newLab(t)
	var last [4]int // acknowledged, of each writer
	for cycle := range 6 {
		dir := t.TempDir()
		clear(last[:])
		s, err := pluginstore.Open(t.Context(), "durable:"+dir, l.options())
		if err != nil {
			t.Fatal(err)
		}
		var writers sync.WaitGroup
		for w := range last {
			writers.Go(func() {
				for n := last[w] + 1; ; n++ {
					err := s.Set(t.Context(), fmt.Sprint("writer-", w), value(strconv.Itoa(n)))
					if err != nil {
						if !errors.Is(err, cache.ErrClosed) {
							t.Errorf("cycle %d: Set: %v", cycle, err)
						}
						return
					}
					last[w] = n
				}
			})
		}
		until(t, "there are writes", func() bool { _, ok, _ := s.Get(t.Context(), "writer-3"); return ok })
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			if pid := s.PID(); pid != 0 && cycle%3 > 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}()
		if cycle%3 == 1 {
			<-killed
			until(t, "memory serves", func() bool { return s.Status().Fallback })
		}
		// It says so if the process died before it could be flushed.
		if err := s.Close(); err != nil && (cycle%3 == 0 || !errors.Is(err, cache.ErrUnavailable)) {
			t.Errorf("cycle %d: Close: %v", cycle, err)
		}
		<-killed
		writers.Wait()
		// A write that was not acknowledged may have been done.
		again, err := pluginstore.Open(t.Context(), "durable:"+dir, l.options())
		if err != nil {
			t.Fatal(err)
		}
		for w := range last {
			e, _, err := again.Get(t.Context(), fmt.Sprint("writer-", w))
			if n, _ := strconv.Atoi(string(e.Value)); err != nil || n != last[w] && n != last[w]+1 {
				t.Errorf("cycle %d: writer %d has %d, %v; %d was acknowledged", cycle, w, n, err, last[w])
			}
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Whoever learns of a plugin's death learns how it came, also if the call was
// made after others had noticed.
func TestCallersLearnTheCauseOfDeath(t *testing.T) {
	l := newLab(t)
	o := patient(l.options())
	o.Fallback = pluginstore.FallbackNone
	for range 10 {
		s := l.open(t, "durable:"+t.TempDir(), o)
		kill(t, s)
		until(t, "a call fails", func() bool {
			err := s.Set(t.Context(), "k", value("v"))
			if err != nil && (!errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "killed")) {
				t.Errorf("Set: %v", err)
			}
			return err != nil
		})
		for range 100 {
			if _, _, err := s.Get(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Errorf("Get: %v", err)
			}
		}
	}
}
