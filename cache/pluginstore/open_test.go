//go:build linux

package pluginstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/cache/storetest"
	"github.com/harpia-go/harpia/internal/proctest"
	"github.com/harpia-go/harpia/shared"
)

// lab is a place to open plugins in: after each test nothing runs and nothing
// lies about.
type lab struct {
	dirs []string
	tmp  string
	log  *logBuffer
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{dirs: []string{plugins(t)}, log: &logBuffer{}}
	var err error
	if l.tmp, err = os.MkdirTemp("/tmp", "lab"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", l.tmp)
	t.Cleanup(func() {
		if left, _ := filepath.Glob(l.tmp + "/*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		_ = os.RemoveAll(l.tmp)
		pids, err := proctest.Find(func(line string) bool { return strings.HasPrefix(line, l.dirs[0]) })
		if err != nil || len(pids) > 0 {
			t.Errorf("still running: %v, %v", pids, err)
		}
	})
	return l
}

// options run whatever is in the lab as it is: to hash and copy the test binary
// each time would take most of the time. What trust is has tests of its own.
func (l *lab) options() *pluginstore.Options {
	programs, _ := filepath.Glob(l.dirs[0] + "/*")
	return &pluginstore.Options{
		Insecure:     append(programs, "/bin/true"),
		Dirs:         l.dirs,
		Logger:       slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		StartTimeout: 5 * time.Second,
	}
}

func (l *lab) open(t *testing.T, storeURL string, o *pluginstore.Options) *pluginstore.Store {
	t.Helper()
	s, err := pluginstore.Open(t.Context(), storeURL, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const all = cache.CanBatch | cache.CanAdd | cache.CanSwap | cache.CanCount | cache.CanTouch | cache.CanScan | cache.CanClear

func TestConformance(t *testing.T) {
	for _, c := range []struct {
		storeURL string
		noLane   bool
		want     cache.Capability
	}{{"memory", false, all}, {"plugin:memory", false, all}, {"plugin:memory", true, all}, {"three", false, 0}, {"three", true, 0}} {
		t.Run(fmt.Sprintf("%s, no lane: %v", c.storeURL, c.noLane), func(t *testing.T) {
			l := newLab(t)
			o := l.options()
			o.NoLane = c.noLane
			storetest.RunWant(t, c.want, func(t *testing.T) cache.Store { return l.open(t, c.storeURL, o) })
		})
	}
}

func TestOpenFailsInPlainWords(t *testing.T) {
	l := newLab(t)
	script := filepath.Join(l.dirs[0], "script")
	noexec := filepath.Join(l.dirs[0], "noexec")
	garbage := filepath.Join(l.dirs[0], "garbage")
	orphan := filepath.Join(l.dirs[0], "orphan")
	for file, mode := range map[string]os.FileMode{script: 0o755, noexec: 0o644, garbage: 0o755, orphan: 0o755} {
		text := "#!/bin/sh\necho welcome\nsleep 60\n"
		switch file {
		case garbage:
			text = "\x00\x01\x02"
		case orphan:
			text = "#!/nowhere/sh\n"
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		name, url string
		is        error
		says      []string
	}{
		{"no such name", "nothere", pluginstore.ErrNotFound, []string{"harpia-store-nothere", l.dirs[0], "--plugin-dir"}},
		{"no such file", "./nothere/at-all", pluginstore.ErrNotFound, []string{"there is no file", "nothere/at-all"}},
		{"a directory", l.dirs[0], pluginstore.ErrNotFound, []string{"directory"}},
		{"not executable", noexec, pluginstore.ErrNotFound, []string{"chmod +x"}},
		{"not a program", garbage, pluginstore.ErrStart, []string{"not a program for this machine"}},
		{"no interpreter", orphan, pluginstore.ErrStart, []string{"interpreter", "not on this machine"}},
		{"prints first", script, pluginstore.ErrStart, []string{`printed "welcome"`, "standard error"}},
		{"prints first, in Go", "chatty", pluginstore.ErrStart, []string{`printed "hello from the plugin"`, "standard error"}},
		{"exits", "exits", pluginstore.ErrStart, []string{"exit status 3", "no license found"}},
		{"not a plugin", "/bin/true", pluginstore.ErrStart, []string{"status 0", "is it a store plugin?"}},
		{"another protocol", "future", pluginstore.ErrStart, []string{"version 99", "version 1"}},
		{"listens to everybody", "tcp", pluginstore.ErrStart, []string{`"tcp"`, "Unix socket"}},
		{"closes its output", "closes", pluginstore.ErrStart, []string{"closed its standard output"}},
		{"another socket", "elsewhere", pluginstore.ErrStart, []string{"not in the directory"}},
		{"net/rpc", "netrpc", pluginstore.ErrStart, []string{"grpc"}},
		{"garbage certificate", "hostile", pluginstore.ErrStart, []string{"cert"}},
		{"no TLS", "plain", pluginstore.ErrStart, []string{"TLS", "NoTLS"}},
		{"dies in Configure", "dies", pluginstore.ErrStart, []string{"killed", "cannot go on"}},
		{"logs why it ends", "fatal", pluginstore.ErrStart, []string{"exit status 1", "the license has expired"}},
		{"exits in Configure", "quits", pluginstore.ErrStart, []string{"exit status 3", "there is no database"}},
		{"fails in Configure", "fails", nil, []string{"the disk is on holiday"}},
		{"unknown setting", "plugin:memory?colour=blue", shared.ErrSetting, []string{"colour", "max_bytes", "plugins describe"}},
		{"unknown setting, no plugin", "memory?colour=blue", shared.ErrSetting, []string{"colour", "max_bytes", "plugins describe"}},
		{"wrong type", "plugin:memory?max_bytes=lots", shared.ErrSetting, []string{"max_bytes", "lots"}},
		{"no target wanted", "three:here", pluginstore.ErrURL, []string{"three"}},
		{"nonsense", "Not A Url", pluginstore.ErrURL, []string{"NAME"}},
		{"empty", "", pluginstore.ErrURL, []string{"NAME"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := pluginstore.Open(t.Context(), c.url, l.options())
			if err == nil {
				_ = s.Close()
				t.Fatal("it opened")
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v\nis not: %v", err, c.is)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%v\ndoes not say: %s", err, text)
				}
			}
			if n := strings.Count(err.Error(), "\n"); n > 1 {
				t.Errorf("%d lines:\n%v", n+1, err)
			}
		})
	}
}

func TestOpenGivesUpInTime(t *testing.T) {
	l := newLab(t)
	o := l.options()
	o.StartTimeout = 300 * time.Millisecond
	_, err := pluginstore.Open(t.Context(), "silent", o)
	if !errors.Is(err, pluginstore.ErrStart) || !strings.Contains(err.Error(), "did not answer within 300ms") {
		t.Errorf("a plugin that never answers: %v", err)
	}
	o.StartTimeout = 1 // there is not even time to start it
	_, err = pluginstore.Open(t.Context(), "silent", o)
	if !errors.Is(err, pluginstore.ErrStart) || !strings.Contains(err.Error(), "did not answer within 1ns") {
		t.Errorf("with no time at all: %v", err)
	}
	for _, name := range []string{"silent", "deaf"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if _, err = pluginstore.Open(ctx, name, l.options()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, with a deadline of the caller's: %v", name, err)
		}
		cancel()
	}
}

func TestPanicFailsOneCall(t *testing.T) {
	l := newLab(t)
	for _, noLane := range []bool{false, true} {
		o := l.options()
		o.NoLane = noLane
		s := l.open(t, "panics", o)
		if _, _, err := s.Get(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "panicked in Get: the shelf is empty") {
			t.Errorf("the call that panics: %v", err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("after a panic: %v", err)
		}
	}
	if !strings.Contains(l.log.String(), "goroutine ") {
		t.Errorf("the log has no stack:\n%s", l.log)
	}
}

func TestPluginNoiseDoesNoHarm(t *testing.T) {
	l := newLab(t)
	s := l.open(t, "loud", l.options())
	for range 100 {
		if err := s.Set(t.Context(), "k", cache.Entry{Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChildrenOfThePluginEndWithIt(t *testing.T) {
	l := newLab(t)
	s := l.open(t, "family", l.options())
	pid := s.PID()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if pids, err := proctest.Group(pid); err != nil || len(pids) > 0 {
		t.Errorf("of the plugin's group there still run: %v, %v", pids, err)
	}
}

func TestFrozenPluginIsClosedAllTheSame(t *testing.T) {
	l := newLab(t)
	s, err := pluginstore.Open(t.Context(), "plugin:memory", l.options())
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(s.PID(), syscall.SIGSTOP)
	for !proctest.Stopped(s.PID()) {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := s.Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get: %v", err)
	}
	if err := s.Ready(t.Context()); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Ready: %v", err)
	}
	_ = s.Close()
}

func TestLongTemporaryDirectory(t *testing.T) {
	l := newLab(t)
	long := filepath.Join(l.tmp, strings.Repeat("x", 120))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	l.open(t, "plugin:memory", l.options())
	_ = os.Remove(long)
}

func TestNoTLS(t *testing.T) {
	l := newLab(t)
	o := l.options()
	o.NoTLS = true
	s := l.open(t, "plain", o)
	if err := s.Set(t.Context(), "k", cache.Entry{Value: []byte("v")}); err != nil {
		t.Error(err)
	}
}

func TestClosedStore(t *testing.T) {
	l := newLab(t)
	for _, storeURL := range []string{"memory", "plugin:memory"} {
		s := l.open(t, storeURL, l.options())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Get(t.Context(), "k"); !errors.Is(err, cache.ErrClosed) {
			t.Errorf("%s: Get after Close: %v", storeURL, err)
		}
	}
}

// Whoever closes a store second finds it closed too.
func TestCloseTwiceAtOnce(t *testing.T) {
	l := newLab(t)
	s := l.open(t, "plugin:memory", l.options())
	pid := s.PID()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			_ = s.Close()
			if pids, err := proctest.Group(pid); err != nil || len(pids) > 0 {
				t.Errorf("Close returned while there ran %v, %v", pids, err)
			}
		})
	}
	wg.Wait()
}

func TestSecretsOfURLsAreNotShown(t *testing.T) {
	for _, text := range []string{
		"redis://user:hunter2@host:6379/0", "redis://user:p/hunter2@host", "redis://user:p@hunter2@host",
		"redis:user:hunter2@host", "Redis://user:hunter2@host", "redis_cluster://user:hunter2@host",
		"redis://host?password=hunter2", "redis://user:hunter2@host?bad=%zz",
	} {
		l := newLab(t)
		_, err := pluginstore.Open(t.Context(), text, l.options())
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
		if u, err := pluginstore.ParseURL(text); err == nil && strings.Contains(u.String(), "hunter2") {
			t.Errorf("%s is shown as %s", text, u)
		}
	}
}

func TestSettings(t *testing.T) {
	l := newLab(t)
	o := l.options()
	o.Settings = url.Values{"max_bytes": {"1MiB"}}
	for _, storeURL := range []string{"memory?max_entries=10", "plugin:memory?max_entries=10"} {
		s := l.open(t, storeURL, o)
		if got := s.Limits().MaxValue; got != 1<<20 {
			t.Errorf("%s: the limit is %d", storeURL, got)
		}
	}
}
