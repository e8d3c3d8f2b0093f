//go:build linux

package pluginstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/shared"
)

// alone runs one of the programs as a person does who debugs it, and returns
// the socket that it prints.
func (l *lab) alone(t *testing.T, name string) (socket string, run *exec.Cmd) {
	t.Helper()
	run = exec.Command(l.dirs[0] + "/" + shared.BinaryPrefix + name)
	run.Env = append(os.Environ(), shared.EnvDebug+"=1")
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		_ = run.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if socket, ok := strings.CutPrefix(lines.Text(), shared.EnvReattach+"="); ok {
			return socket, run
		}
	}
	t.Fatal("the plugin prints no socket")
	return "", nil
}

func TestReattach(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	o := l.options()
	var run *exec.Cmd
	o.Reattach, run = l.alone(t, "durable")
	dir := t.TempDir()
	for range 2 { // it outlives a store
		s, err := pluginstore.Open(ctx, "durable:"+dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Increment(ctx, "n", 1, time.Time{}); err != nil {
			t.Error(err)
		}
		if st := s.Status(); st.State != pluginstore.Ready || st.Fallback || s.Ready(ctx) != nil {
			t.Errorf("the status is %+v", st)
		}
		if err := s.Replace(ctx, ""); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Replace: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, _, err := s.Get(ctx, "n"); !errors.Is(err, cache.ErrClosed) {
			t.Errorf("Get from a closed store: %v", err)
		}
	}
	s := l.open(t, "durable:"+dir, o)
	holds(t, s, "n", "2")
	if _, err := pluginstore.Open(ctx, "durable:"+dir+"?plain=true", o); !errors.Is(err, shared.ErrSetting) {
		t.Errorf("other settings: %v", err)
	}

	// A person has it stopped: who can wait, waits.
	if err := run.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, "it is stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", run.Process.Pid))
		return err == nil && strings.Contains(string(stat), ") T ")
	})
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, _, err := s.Get(short, "n"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get from a stopped plugin: %v", err)
	}
	if err := run.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	holds(t, s, "n", "2")

	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	until(t, "it is noticed", func() bool {
		_, _, err := s.Get(ctx, "n")
		return errors.Is(err, cache.ErrUnavailable)
	})
	_ = os.RemoveAll(strings.TrimSuffix(o.Reattach, "/plugin.sock"))
}

func TestReattachWithoutURL(t *testing.T) {
	l := newLab(t)
	o := l.options()
	o.Reattach, _ = l.alone(t, "memory")
	s := l.open(t, "", o)
	if err := s.Set(t.Context(), "k", value("v")); err != nil {
		t.Error(err)
	}
	holds(t, s, "k", "v")
	if s.URL() != "memory" {
		t.Errorf("the URL is %q", s.URL())
	}
	if _, err := pluginstore.Open(t.Context(), "memory", o); !errors.Is(err, pluginstore.ErrURL) {
		t.Errorf("memory in this process: %v", err)
	}
	o.Reattach = t.TempDir()
	if _, err := pluginstore.Open(t.Context(), "", o); !errors.Is(err, pluginstore.ErrStart) {
		t.Errorf("no socket: %v", err)
	}
}
