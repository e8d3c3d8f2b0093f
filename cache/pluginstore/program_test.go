//go:build linux

package pluginstore

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

// written is a program file for a test, and the options that trust it.
func written(t *testing.T, text string) (file string, o *Options) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "written")
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := copyProgram(file)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	lock := filepath.Join(t.TempDir(), LockFile)
	if err := writePin(t.Context(), lock, Pin{"written", "1", thisPlatform, p.digest}); err != nil {
		t.Fatal(err)
	}
	return file, &Options{Locks: []string{lock}, Logger: slog.New(slog.DiscardHandler)}
}

func inTemp(t *testing.T) string {
	t.Helper()
	// One with a short name, which a socket's path may begin with.
	dir, err := os.MkdirTemp("/tmp", "program")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("TMPDIR", dir)
	return dir
}

// holds fails the test unless the directory holds this many entries.
func holds(t *testing.T, dir string, want int) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) != want {
		t.Errorf("%s has %v, %v; want %d", dir, left, err, want)
	}
}

// Every start is of the bytes that were there when the program was opened, and
// in the end nothing is left of them.
func TestEveryCopyIsWhatWasOpened(t *testing.T) {
	const text = "#!/bin/sh\necho trusted\n"
	file, o := written(t, text)
	tmp, dir := inTemp(t), t.TempDir()
	p, err := openProgramAt(file, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("#!/bin/sh\necho swapped\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		exe, err := p.place(dir)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(exe).Output(); string(out) != "trusted\n" || err != nil {
			t.Errorf("it printed %q, %v", out, err)
		}
		if info, err := os.Stat(exe); err != nil || info.Mode() != 0o500 || filepath.Base(exe) != "harpia-store-written" {
			t.Errorf("%s: %v, %v", exe, info.Mode(), err)
		}
		p.placed(exe)
		holds(t, dir, 0)
		holds(t, tmp, 0)
	}
	if _, err := openProgramAt(file, o); !errors.Is(err, ErrChanged) {
		t.Errorf("opened again: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := p.place(dir); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if p, err = openProgramAt(file, &Options{Insecure: []string{file}, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if exe, err := p.place(dir); exe != file || err != nil {
		t.Errorf("an insecure program is placed at %s, %v", exe, err)
	}
	p.placed(file)
	if _, err := os.Stat(file); err != nil {
		t.Errorf("an insecure program was removed: %v", err)
	}
	_ = p.Close()
	holds(t, tmp, 0)
}

// A program that was opened and never placed leaves nothing either.
func TestProgramThatIsNotStarted(t *testing.T) {
	file, o := written(t, "#!/bin/sh\n")
	tmp := inTemp(t)
	p, err := openProgramAt(file, o)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, tmp, 1)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	holds(t, tmp, 0)
}

// While others start processes all the time, a program that was just written
// starts: their children hold its file open for a moment.
func TestProgramStartsWhileOthersFork(t *testing.T) {
	file, o := written(t, "#!/bin/sh\nexit 0\n")
	stop := make(chan struct{})
	var forks sync.WaitGroup
	for range 4 {
		forks.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.Command("/bin/true").Run()
				}
			}
		})
	}
	dir := t.TempDir()
	for range 100 {
		p, err := openProgramAt(file, o)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			exe, err := p.place(dir)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(exe)
			if err := startCommand(cmd); err != nil {
				t.Error(err)
			} else if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			p.placed(exe)
		}
		_ = p.Close()
	}
	close(stop)
	forks.Wait()
}

func TestProgramsThatAreNotCopied(t *testing.T) {
	file, o := written(t, "#!/bin/sh\n")
	tmp, dir := inTemp(t), t.TempDir()
	pipe, huge := filepath.Join(dir, "pipe"), filepath.Join(dir, "huge")
	if err := syscall.Mkfifo(pipe, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(huge, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, maxProgram+1); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{pipe: "special file", huge: "more than 1024 MiB", dir: "directory", dir + "/nothere": "there is no file"} {
		if _, err := openProgramAt(path, o); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
	holds(t, tmp, 0)

	// Whoever may rename the private directory may put another in its place.
	open := filepath.Join(tmp, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", open)
	if _, err := openProgramAt(file, o); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "chmod o-w "+open) {
		t.Errorf("in a temporary directory where all may rename: %v", err)
	}
	holds(t, open, 0)
}

// A temporary directory that is full, or whose programs may not be run, is
// named, and nothing is left in it.
func TestUnfitTemporaryDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("HARPIA_REQUIRE_ALL") == "1" {
			t.Fatal("only root can mount")
		}
		t.Skip("only root can mount")
	}
	file, o := written(t, "#!/bin/sh\n"+strings.Repeat("# padding\n", 20_000))
	for name, c := range map[string]struct {
		flags uintptr
		size  string
		says  string
	}{
		"full":   {0, "size=100k", "no room in"},
		"noexec": {syscall.MS_NOEXEC, "size=10m", "noexec"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := inTemp(t)
			if err := syscall.Mount("tmpfs", dir, "tmpfs", c.flags, c.size); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := syscall.Unmount(dir, 0); err != nil {
					t.Error(err)
				}
			}()
			p, err := openProgramAt(file, o)
			if err == nil {
				private, fail := socketDir()
				if fail != nil {
					t.Fatal(fail)
				}
				_, err = p.place(private.path)
				holds(t, private.path, 0)
				_ = private.remove()
				_ = p.Close()
			}
			for _, text := range []string{c.says, dir, "set TMPDIR"} {
				if err == nil || !errors.Is(err, ErrStart) || !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), text) {
					t.Errorf("%v\ndoes not say: %s", err, text)
				}
			}
			holds(t, dir, 0)
		})
	}
}
