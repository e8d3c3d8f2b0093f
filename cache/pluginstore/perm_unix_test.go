//go:build unix

package pluginstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWritableByOthersIsRefused(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "above", "dir")
	file := filepath.Join(dir, "plugins.lock")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(root, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		mode   os.FileMode
		repair string // none: it is fine
	}{
		{file, 0o644, ""},
		{file, 0o664, "chmod go-w " + file},
		{file, 0o646, "chmod go-w " + file},
		{dir, 0o775, "chmod go-w " + dir},
		{dir, 0o757, "chmod go-w " + dir},
		{dir, 0o777 | os.ModeSticky, "chmod go-w " + dir},
		{filepath.Dir(dir), 0o777, "chmod o-w " + filepath.Dir(dir)},
		{filepath.Dir(dir), 0o777 | os.ModeSticky, ""},
		{filepath.Dir(dir), 0o775, ""},
	} {
		before, err := os.Stat(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(c.path, c.mode); err != nil {
			t.Fatal(err)
		}
		for _, through := range []string{file, filepath.Join(link, "plugins.lock")} {
			want := c.repair
			if c.path == file {
				want = strings.Replace(want, file, through, 1)
			}
			switch _, err := readLock(through); {
			case want == "" && err != nil, want != "" && (!errors.Is(err, ErrUntrusted) || !strings.HasSuffix(err.Error(), want)):
				t.Errorf("%s with mode %v, through %s: %v", c.path, c.mode, through, err)
			}
		}
		if err := os.Chmod(c.path, before.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}
