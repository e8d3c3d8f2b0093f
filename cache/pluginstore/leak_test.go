//go:build linux

package pluginstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

// holding is what a host holds for its plugins.
type holding struct {
	goroutines, descriptors, files int
}

func (l *lab) holding(t *testing.T) holding {
	t.Helper()
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, depth := range []string{"/*", "/*/*", "/*/*/*"} {
		found, err := filepath.Glob(l.tmp + depth)
		if err != nil {
			t.Fatal(err)
		}
		files += len(found)
	}
	return holding{runtime.NumGoroutine(), len(descriptors), files}
}

// Whatever is done to a store, and however often: afterwards the host holds
// what it held before.
func TestNothingLeaks(t *testing.T) {
	many, some := 200, 50
	if raceDetector {
		many, some = 3, 3 // a start takes a second there, and what leaks does so each time
	}
	// A collected file is closed: that must not be what closes one.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	l := newLab(t)
	o := l.brisk()
	o.Restart = pluginstore.Restart{MinDelay: time.Millisecond, MaxDelay: time.Millisecond, Failures: 2 * many}
	// One that is copied to be run, which the test binary would take long for.
	exits := filepath.Join(t.TempDir(), "exits")
	script := []byte("#!/bin/sh\nexit 3\n")
	if err := os.WriteFile(exits, script, 0o700); err != nil {
		t.Fatal(err)
	}
	o.Locks = []string{lockOf(t, "exits", script)}

	s := l.open(t, "own:"+t.TempDir(), o)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		times int
		do    func()
	}{
		{"open and close", many, func() {
			other, err := pluginstore.Open(t.Context(), "plugin:memory", o)
			check(err)
			check(other.Set(t.Context(), "k", value("v")))
			check(other.Close())
		}},
		{"open what does not start", some, func() {
			if _, err := pluginstore.Open(t.Context(), exits, o); !errors.Is(err, pluginstore.ErrStart) {
				t.Fatal(err)
			}
		}},
		{"crash", many, func() {
			before := s.PID()
			kill(t, s)
			check(s.Set(t.Context(), "k", value("v")))
			until(t, "another process serves", func() bool { st := s.Status(); return st.State == pluginstore.Ready && st.PID != before })
		}},
		{"replace", some, func() { check(s.Replace(t.Context(), "")) }},
		{"replace with what does not start", some, func() {
			if err := s.Replace(t.Context(), exits); !errors.Is(err, pluginstore.ErrStart) {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.do() // what is made once, and kept
			until(t, "the plugin serves", inState(s, pluginstore.Ready))
			var before, after holding
			// What is ended may take a moment to be gone.
			until(t, "it is quiet", func() bool {
				last := before
				before = l.holding(t)
				return before == last
			})
			for range c.times {
				c.do()
			}
			for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				after = l.holding(t)
				if after.goroutines <= before.goroutines && after.descriptors <= before.descriptors && after.files <= before.files {
					t.Logf("after %d times %+v, before %+v", c.times, after, before)
					return
				}
			}
			t.Errorf("after %d times %+v, before %+v", c.times, after, before)
		})
	}
}
