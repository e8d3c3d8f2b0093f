//go:build linux

package main

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		want     string
		settings []string
	}{
		{"sync", []string{"sync", "sometimes"}},
		{"sync_interval", []string{"sync_interval", "soon"}},
		{"sync_interval", []string{"sync_interval", "0s"}},
		{"max_bytes", []string{"max_bytes", "many"}},
		{"reserve", []string{"reserve", "1PB"}},
		{"reserve", []string{"reserve", "8000000TiB"}},
		{"nope", []string{"nope", "1"}},
	} {
		err := configure(&Store{}, dir, c.settings...)
		if !errors.Is(err, shared.ErrSetting) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want a wrong setting that names %s", c.settings, err, c.want)
		}
	}
	if err := configure(&Store{}, ""); !errors.Is(err, shared.ErrSetting) {
		t.Errorf("an empty dir: %v, want a wrong setting", err)
	}
}

func TestDirectoryIsMadePrivate(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, dir)
	mustSet(t, s, "k", strings.Repeat("v", 1<<20))
	s.room.ballast.make()
	mustClose(t, s)
	files := 0
	err := filepath.WalkDir(filepath.Dir(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !d.IsDir() {
			files++
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestForeignDirectoryIsLeftAlone(t *testing.T) {
	write := func(t *testing.T, path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, set := range map[string]struct {
		dir   string
		setup func(t *testing.T, root string)
	}{
		"a file":          {"f", func(t *testing.T, root string) { write(t, filepath.Join(root, "f")) }},
		"under a file":    {"f/d", func(t *testing.T, root string) { write(t, filepath.Join(root, "f")) }},
		"somebody's":      {".", func(t *testing.T, root string) { write(t, filepath.Join(root, "notes.txt")) }},
		"another's store": {".", func(t *testing.T, root string) { write(t, filepath.Join(root, "MANIFEST-000001")) }},
		"a home":          {".", func(t *testing.T, root string) { write(t, filepath.Join(root, ".profile")) }},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			set.setup(t, root)
			before := snapshot(t, root)
			err := configure(&Store{}, filepath.Join(root, set.dir))
			if !errors.Is(err, shared.ErrSetting) || !strings.Contains(err.Error(), root) {
				t.Errorf("Configure: %v, want a wrong setting that names the directory", err)
			}
			if after := snapshot(t, root); !maps.Equal(before, after) {
				t.Errorf("the directory was changed: %v", after)
			}
		})
	}
}

// What root leaves in another user's store would lock its owner out.
func TestStoreOfAnotherUserIsLeftAlone(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv(requireAll) != "" {
			t.Fatal("only root can give a directory away")
		}
		t.Skip("only root can give a directory away")
	}
	dir := filepath.Join(t.TempDir(), "data")
	s := open(t, dir)
	mustSet(t, s, "k", "v")
	mustClose(t, s)
	const nobody = 65534
	noError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, nobody, nobody))
	}))
	before := snapshot(t, dir)
	err := configure(&Store{}, dir)
	if !errors.Is(err, shared.ErrSetting) || !strings.Contains(err.Error(), "another user (65534)") {
		t.Errorf("Configure: %v", err)
	}
	if after := snapshot(t, dir); !maps.Equal(before, after) {
		t.Errorf("the directory was changed: %v", after)
	}
}

func TestUnwritableDirectory(t *testing.T) {
	// One that another user can reach, which t.TempDir is not.
	root, err := os.MkdirTemp("", "harpia-test-")
	noError(t, err)
	t.Cleanup(func() { os.RemoveAll(root) })
	dir := filepath.Join(root, "data")
	noError(t, errors.Join(os.Chmod(root, 0o755), os.Mkdir(dir, 0o500)))
	if os.Getuid() != 0 {
		err := configure(&Store{}, dir)
		if !errors.Is(err, shared.ErrSetting) || !strings.Contains(err.Error(), dir) {
			t.Errorf("Configure: %v, want a wrong setting that names the directory", err)
		}
		return
	}
	// Root may write everywhere: ask as nobody.
	const nobody = 65534
	exe, err := os.ReadFile("/proc/self/exe")
	noError(t, err)
	copied := filepath.Join(root, "test")
	noError(t, errors.Join(os.WriteFile(copied, exe, 0o755), os.Chown(dir, nobody, nobody)))
	cmd := exec.Command(copied)
	cmd.Env = append(os.Environ(), childRole+"=configure", childDir+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), shared.ErrSetting.Error()) || !strings.Contains(string(out), dir) {
		t.Errorf("Configure as nobody: %v %s, want a wrong setting that names the directory", err, out)
	}
	if names, err := listDir(dir); err != nil || len(names) != 0 {
		t.Errorf("the directory was changed: %v, %v", names, err)
	}
}

func TestMountPointIsADirectoryLikeAnother(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	mustSet(t, open(t, dir), "k", "v")
}

func TestLockNamesItsHolder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	mustSet(t, s, "k", "v")

	wantHeld := func(pid int) {
		t.Helper()
		err := configure(&Store{}, dir)
		if !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "process "+strconv.Itoa(pid)) {
			t.Errorf("a second store: %v, want it unavailable because of process %d", err, pid)
		}
	}
	wantHeld(os.Getpid())
	wantValue(t, s, "k", "v")
	mustClose(t, s)

	child := startChild(t, "hold", dir, nil)
	child.wantLine("open")
	wantHeld(child.cmd.Process.Pid)

	// What a dead process leaves is no obstacle.
	child.kill()
	wantValue(t, open(t, dir), "k", "v")
}
