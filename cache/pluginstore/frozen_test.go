//go:build linux

package pluginstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/proctest"
	"github.com/harpia-go/harpia/shared"
)

// freeze stops the plugin, which has a child, and returns its group.
func freeze(t *testing.T, s *pluginstore.Store) int {
	t.Helper()
	pid := s.PID()
	if group, err := proctest.Group(pid); err != nil || len(group) != 2 {
		t.Fatalf("the plugin's group is %v, %v: want it and its child", group, err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, "it has stopped", func() bool { return proctest.Stopped(pid) })
	return pid
}

// gone fails unless nothing of the group is left.
func gone(t *testing.T, group int) {
	t.Helper()
	until(t, "its group is gone", func() bool {
		pids, err := proctest.Group(group)
		return err == nil && len(pids) == 0
	})
}

// A plugin that hangs is found out, ended with all that it started, and
// replaced, and calls go on; nor can it keep the host from ending.
func TestFrozenPlugin(t *testing.T) {
	t.Setenv(envMark, filepath.Join(t.TempDir(), "mark"))
	l := newLab(t)
	// The three wait, more than they work, for deadlines that nobody can change.
	t.Run("health finds out", func(t *testing.T) {
		t.Parallel()
		s := l.open(t, "family", quick(l.options()))
		frozen := freeze(t, s)
		// Nobody writes, which would end it sooner.
		until(t, "another serves", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if _, ok, err := s.Get(ctx, "k"); ok || (err != nil && !errors.Is(err, context.DeadlineExceeded)) {
				t.Errorf("Get: %v, %v", ok, err)
			}
			st := s.Status()
			return st.State == pluginstore.Ready && st.PID != frozen
		})
		gone(t, frozen)
		st := s.Status()
		if st.Restarts != 1 || !errors.Is(st.Err, cache.ErrUnavailable) {
			t.Errorf("the status is %+v", st)
		}
		if text := fmt.Sprint(st.Err); !strings.Contains(text, "did not say within 1s that it is well") {
			t.Errorf("the status has the error %s", text)
		}
		if err := s.Set(t.Context(), "k", value("v")); err != nil {
			t.Error(err)
		}
		holds(t, s, "k", "v")
	})
	t.Run("a write finds out", func(t *testing.T) {
		t.Parallel()
		s := l.open(t, "family", patient(l.options()))
		frozen := freeze(t, s)
		if err := s.Set(t.Context(), "k", value("v")); err != nil {
			t.Errorf("Set: %v", err)
		}
		gone(t, frozen)
		holds(t, s, "k", "v")
		until(t, "its end is noticed", func() bool { return s.Status().Err != nil })
		if err := s.Status().Err; !errors.Is(err, shared.ErrNoAnswer) || !strings.Contains(err.Error(), "did not say within 1s that it is well") {
			t.Errorf("the status has the error %v", err)
		}
		s.Reset()
		until(t, "another serves", inState(s, pluginstore.Ready))
		holds(t, s, "k", "v")
	})
	t.Run("it does not end", func(t *testing.T) {
		t.Parallel()
		o := l.options()
		o.Env = []string{envMark}
		s := l.open(t, "hangs", o)
		group := s.PID()
		closed := make(chan error)
		go func() { closed <- s.Close() }()
		select {
		case err := <-closed:
			if err != nil {
				t.Errorf("Close: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("Close waits for a plugin that does not end")
		}
		if pids, err := proctest.Group(group); err != nil || len(pids) > 0 {
			t.Errorf("Close left %v, %v running", pids, err)
		}
	})
}
