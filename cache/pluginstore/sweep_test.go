//go:build linux

package pluginstore_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/proctest"
)

// startingHost is a host whose plugin never comes to an end with its start.
func startingHost() {
	_, err := pluginstore.Open(context.Background(), "waits", &pluginstore.Options{
		Dirs: []string{os.Args[1]}, Locks: []string{os.Args[2]}, StartTimeout: time.Hour,
	})
	panic(err)
}

// killStarting kills a host that is just starting its plugin, and returns the
// copy of the plugin that it leaves.
func (l *lab) killStarting(t *testing.T, o *pluginstore.Options) string {
	t.Helper()
	host := exec.Command(filepath.Join(l.dirs[0], "starting-host"), l.dirs[0], o.Locks[0])
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	plugins := func() []int {
		pids, err := proctest.Find(func(line string) bool { return line == filepath.Join(l.dirs[0], "harpia-store-waits") })
		if err != nil {
			t.Error(err)
		}
		return pids
	}
	until(t, "the plugin runs", func() bool { return len(plugins()) == 1 })
	_ = host.Process.Kill()
	_ = host.Wait()
	until(t, "the plugin has noticed", func() bool { return len(plugins()) == 0 })
	left := l.private(t)["file"]
	if len(left) != 1 {
		t.Fatalf("a host that was killed has left %v, want a copy of the plugin", left)
	}
	return left[0]
}

// What a host has left that was killed while it started a plugin is removed by
// the next one, and nothing else is.
func TestNextHostSweepsWhatAKilledOneLeft(t *testing.T) {
	l := newLab(t)
	o := l.trusting(t, "harpia-store-waits", "harpia-store-memory")
	living := l.open(t, "plugin:memory", o)
	held := l.private(t)["directory"]
	left := l.killStarting(t, o)

	precious := t.TempDir()
	stays := []string{
		filepath.Join(l.tmp, "harpia-held-1"),    // a link to what is precious
		filepath.Join(l.tmp, "harpia-held-2"),    // a file
		filepath.Join(l.tmp, "harpia-held-more"), // named by somebody else
		filepath.Join(l.tmp, "harpia-12345"),     // of a host without locks
		filepath.Join(precious, "file"),
	}
	if err := os.Symlink(precious, stays[0]); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{stays[1], stays[4]} {
		if err := os.WriteFile(file, nil, 0o500); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range stays[2:4] {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		theirs := filepath.Join(l.tmp, "harpia-held-3")
		if err := os.Mkdir(theirs, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(theirs, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		stays = append(stays, theirs)
	}

	l.open(t, "plugin:memory", o)
	if _, err := os.Lstat(filepath.Dir(left)); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", left, err)
	}
	for _, path := range append(stays, held...) {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("swept with the rest: %v", err)
		}
	}
	if err := living.Set(t.Context(), "k", cache.Entry{Value: []byte("v")}); err != nil {
		t.Errorf("the store of a host that lives: %v", err)
	}
	for _, path := range stays {
		_ = os.Remove(path)
	}
}

// One start does not pay for all that was left.
func TestSweepIsBounded(t *testing.T) {
	l := newLab(t)
	const many = 20
	for i := range many {
		if err := os.Mkdir(filepath.Join(l.tmp, fmt.Sprint("harpia-held-", i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	left := func() int {
		if _, err := pluginstore.Describe(t.Context(), "plugin:memory", l.options()); err != nil {
			t.Fatal(err)
		}
		dirs, _ := filepath.Glob(l.tmp + "/*")
		return len(dirs)
	}
	if n := left(); n == 0 || n == many {
		t.Errorf("of %d directories one start leaves %d", many, n)
	}
	if n := left(); n != 0 {
		t.Errorf("another leaves %d", n)
	}
}
