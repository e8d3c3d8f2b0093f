//go:build linux

package pluginstore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

// trusting returns options under which programs of the lab run because a lock
// file pins them, and no others do.
func (l *lab) trusting(t *testing.T, programs ...string) *pluginstore.Options {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	o := l.options()
	o.Insecure = nil
	o.Locks = []string{} // nil would be the defaults
	for _, name := range programs {
		o.Locks = append(o.Locks, lockOf(t, strings.TrimPrefix(name, "harpia-store-"), text))
	}
	// The lab's own directory may be as the umask has it.
	if err := os.Chmod(l.dirs[0], 0o755); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTrustedPluginServes(t *testing.T) {
	l := newLab(t)
	o := l.trusting(t, "harpia-store-memory")
	s := l.open(t, "plugin:memory", o)
	if err := s.Set(t.Context(), "k", cache.Entry{Value: []byte("v")}); err != nil {
		t.Error(err)
	}
	if e, ok, err := s.Get(t.Context(), "k"); string(e.Value) != "v" || !ok || err != nil {
		t.Error(e, ok, err)
	}
	if _, err := pluginstore.Open(t.Context(), "three", o); !errors.Is(err, pluginstore.ErrUntrusted) || errors.Is(err, pluginstore.ErrChanged) {
		t.Errorf("another, which is not pinned: %v", err)
	}
}

// The system shows a plugin under its own name and the path that it came from,
// and of the copy that is run there is no name left.
func TestRunningCopy(t *testing.T) {
	l := newLab(t)
	s := l.open(t, "plugin:memory", l.trusting(t, "harpia-store-memory"))
	proc := fmt.Sprintf("/proc/%d/", s.PID())
	line, err := os.ReadFile(proc + "cmdline")
	if want := filepath.Join(l.dirs[0], "harpia-store-memory") + "\x00"; err != nil || string(line) != want {
		t.Errorf("the command line is %q, %v", line, err)
	}
	if comm, err := os.ReadFile(proc + "comm"); err != nil || !strings.HasPrefix(string(comm), "harpia-store") {
		t.Errorf("the name is %q, %v", comm, err)
	}
	exe, err := os.Readlink(proc + "exe")
	if err != nil || !strings.HasPrefix(exe, l.tmp) || !strings.HasSuffix(exe, "harpia-store-memory (deleted)") {
		t.Errorf("the program is %s, %v", exe, err)
	}
}

// A trusted program with one byte changed is refused with both digests and the
// command that would trust it, and not one statement of it is executed.
func TestOneByteChanged(t *testing.T) {
	l := newLab(t)
	dir, mark := t.TempDir(), filepath.Join(t.TempDir(), "mark")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "harpia-store-marking")
	// It runs as the memory plugin, which goes by its own name.
	text := fmt.Appendf(nil, "#!/bin/sh\necho ran >> '%s' # x\nexec '%s/harpia-store-memory'\n", mark, l.dirs[0])
	if err := os.WriteFile(file, text, 0o755); err != nil {
		t.Fatal(err)
	}
	o := l.options()
	o.Dirs, o.Insecure = []string{dir}, nil
	lock := filepath.Join(t.TempDir(), "mine", "plugins.lock")
	o.Locks = []string{lock}
	ran := func() bool { defer os.Remove(mark); _, err := os.Stat(mark); return err == nil }

	// Everything that looks at a plugin, but for Trust.
	uses := map[string]func(storeURL string) error{
		"Open": func(storeURL string) error {
			s, err := pluginstore.Open(t.Context(), storeURL, o)
			if err == nil {
				err = s.Close()
			}
			return err
		},
		"Describe": func(storeURL string) error { _, err := pluginstore.Describe(t.Context(), storeURL, o); return err },
		"Check":    func(storeURL string) error { _, err := pluginstore.Check(storeURL, o); return err },
		"List":     func(string) error { _, err := pluginstore.List(o.Dirs); return err },
	}
	refused := func(is error, says ...string) {
		t.Helper()
		for use, f := range uses {
			for _, storeURL := range []string{"marking", file} {
				err := f(storeURL)
				if use != "List" && !errors.Is(err, is) {
					t.Errorf("%s of %s: %v", use, storeURL, err)
					continue
				}
				for _, text := range says {
					if use != "List" && !strings.Contains(err.Error(), text) {
						t.Errorf("%s of %s: %v\ndoes not say: %s", use, storeURL, err, text)
					}
				}
				if ran() {
					t.Errorf("%s of %s ran it", use, storeURL)
				}
			}
		}
	}
	refused(pluginstore.ErrUntrusted, lock, "host plugins trust "+file)

	trusted := sha256.Sum256(text)
	pin, err := pluginstore.Trust(t.Context(), "marking", o, lock)
	want := pluginstore.Pin{Name: "marking", Version: pin.Version, Platform: runtime.GOOS + "/" + runtime.GOARCH, SHA256: fmt.Sprintf("%x", trusted)}
	if err != nil || pin != want || pin.Version == "" {
		t.Fatalf("Trust: %+v, %v; want %+v", pin, err, want)
	}
	if !ran() {
		t.Error("its version was not asked for")
	}
	if err := uses["Open"]("marking"); err != nil || !ran() {
		t.Errorf("trusted, it did not run: %v", err)
	}
	if got, err := pluginstore.Check("marking", o); got != pin || err != nil {
		t.Errorf("Check: %+v, %v", got, err)
	}

	i := bytes.IndexByte(text, 'x')
	changed := slices.Clone(text)
	changed[i]++
	if err := os.WriteFile(file, changed, 0o755); err != nil {
		t.Fatal(err)
	}
	refused(pluginstore.ErrChanged,
		fmt.Sprintf("has sha256:%x", sha256.Sum256(changed)), fmt.Sprintf("pins marking %s with sha256:%x", pin.Version, trusted), "host plugins trust "+file)
	if again, err := pluginstore.Trust(t.Context(), file, o, lock); err != nil || again.SHA256 == pin.SHA256 {
		t.Errorf("Trust of the changed one: %+v, %v", again, err)
	}
	ran()
	if err := uses["Open"]("marking"); err != nil || !ran() {
		t.Errorf("trusted again, it did not run: %v", err)
	}
	if text, err := os.ReadFile(lock); err != nil || bytes.Count(text, []byte("marking")) != 1 {
		t.Errorf("the lock file is %q, %v", text, err)
	}
}

// Any of several lock files is enough; a pin for another platform is none.
func TestPinsOfSeveralLocks(t *testing.T) {
	l := newLab(t)
	o := l.trusting(t, "harpia-store-memory")
	lock := func(text string) string {
		file := filepath.Join(t.TempDir(), "plugins.lock")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	other := lock(fmt.Sprintf("memory 1 %s/%s sha256:%064d\n", runtime.GOOS, runtime.GOARCH, 0))
	absent := filepath.Join(t.TempDir(), "nothere", "plugins.lock")
	for _, locks := range [][]string{{o.Locks[0], other}, {other, o.Locks[0]}, {absent, other, o.Locks[0]}} {
		both := *o
		both.Locks = locks
		if _, err := pluginstore.Check("plugin:memory", &both); err != nil {
			t.Errorf("%v: %v", locks, err)
		}
	}
	text, err := os.ReadFile(o.Locks[0])
	if err != nil {
		t.Fatal(err)
	}
	foreign := *o
	foreign.Locks = []string{lock(strings.Replace(string(text), runtime.GOARCH, "mips", 1))}
	if _, err := pluginstore.Check("plugin:memory", &foreign); !errors.Is(err, pluginstore.ErrUntrusted) || errors.Is(err, pluginstore.ErrChanged) {
		t.Errorf("pinned for another processor: %v", err)
	}
	broken := *o
	broken.Locks = []string{o.Locks[0], lock("memory\n")}
	if _, err := pluginstore.Check("three", &broken); err == nil || errors.Is(err, pluginstore.ErrUntrusted) || !strings.Contains(err.Error(), "plugins.lock:1: ") {
		t.Errorf("a lock file that is not understood: %v", err)
	}
}

// A program that need not be trusted is run where it is, by any path that leads
// to it, and the log says so.
func TestInsecureProgram(t *testing.T) {
	l := newLab(t)
	o := l.trusting(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Insecure = []string{filepath.Join(filepath.Dir(exe), ".", filepath.Base(exe))}
	s := l.open(t, "plugin:memory", o)
	if got, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", s.PID())); err != nil || got != exe {
		t.Errorf("%s runs, %v", got, err)
	}
	if n := strings.Count(l.log.String(), "without being checked"); n != 1 {
		t.Errorf("the log warns %d times:\n%s", n, l.log)
	}
	o.Insecure = []string{filepath.Dir(exe)}
	if _, err := pluginstore.Open(t.Context(), "plugin:memory", o); !errors.Is(err, pluginstore.ErrUntrusted) {
		t.Errorf("its directory is no program: %v", err)
	}
}

func TestNamesThatCannotBePinned(t *testing.T) {
	l := newLab(t)
	o := l.trusting(t)
	file := filepath.Join(t.TempDir(), "my store")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []func() error{
		func() error { _, err := pluginstore.Open(t.Context(), file, o); return err },
		func() error { _, err := pluginstore.Trust(t.Context(), file, o, o.Locks[0]); return err },
	} {
		o.Locks = []string{filepath.Join(t.TempDir(), "plugins.lock")}
		if err := f(); !errors.Is(err, pluginstore.ErrUntrusted) || !strings.Contains(err.Error(), "rename '"+file+"'") {
			t.Error(err)
		}
	}
}
