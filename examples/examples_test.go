//go:build linux

// Package examples_test runs the examples as their readers do.
package examples_test

import (
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/redistest"
)

// build puts the examples into a directory, and the redis plugin, pinned as
// "make build" does it.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	plugin := filepath.Join(dir, "harpia-store-redis")
	for _, args := range [][]string{
		{"-o", dir + string(filepath.Separator), "./ratelimit", "./sessions", "./library"},
		{"-o", plugin, "../plugins/redis"},
	} {
		if out, err := exec.Command("go", append([]string{"build", "-trimpath"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("go build %v: %v\n%s", args, err, out)
		}
	}
	quiet := &pluginstore.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if _, err := pluginstore.Trust(t.Context(), plugin, quiet, filepath.Join(dir, pluginstore.LockFile)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// prints runs an example, whose whole output must match.
func prints(t *testing.T, want, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil || !regexp.MustCompile("^(?:"+want+")$").Match(out) {
		t.Errorf("%v: %v; it prints\n%s\nwant\n%s", cmd, err, out, want)
	}
}

const (
	allTen = "10 of 50 requests were allowed; the next will be in (1m0|[1-5]?[0-9])s\n"
	none   = "0 of 50 requests were allowed; the next will be in (1m0|[1-5]?[0-9])s\n"

	twoAtOnce = `Get and Set: .* it holds \[book\]
Get and Set: after the logout the session is alive: true; .*
Update: .* it holds \[pen book\]
Update: after the logout the session is alive: false; .* no such session
`
	library = `loaded Alice
request 1 allowed: true .*
request 2 allowed: true .*
request 3 allowed: true .*
request 4 allowed: false .*
`
)

func TestExamples(t *testing.T) {
	dir := build(t)
	example := func(name string) string { return filepath.Join(dir, name) }
	t.Run("memory", func(t *testing.T) {
		prints(t, allTen, example("ratelimit"))
		prints(t, allTen, example("ratelimit"), "--store", "memory")
		prints(t, twoAtOnce, example("sessions"), "--store", "memory")
		prints(t, library, example("library"))
	})
	t.Run("redis", func(t *testing.T) {
		server := redistest.Start(t, redistest.Options{})
		storeURL := "redis://" + server.Addr()
		prints(t, allTen, example("ratelimit"), "--store", storeURL)
		ends := server.Do("PEXPIRETIME", "ratelimit:alice")
		// The limit is that of all programs together, and none prolongs its
		// window.
		prints(t, none, example("ratelimit"), "--store", storeURL)
		if now := server.Do("PEXPIRETIME", "ratelimit:alice"); now != ends {
			t.Errorf("the window ended at %v, and now at %v", ends, now)
		}
		prints(t, twoAtOnce, example("sessions"), "--store", storeURL)
		prints(t, library, example("library"), storeURL)
	})
}
