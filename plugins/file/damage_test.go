package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

// image is the directory of a store that was killed: old values in tables,
// newer ones in the log.
type image struct {
	dir  string
	want map[string]string
}

// snapshot returns the names and contents below dir.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			files[path] = "dir"
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func killedStore(t *testing.T) image {
	t.Helper()
	dir := t.TempDir()
	im := image{dir: filepath.Join(t.TempDir(), "image"), want: map[string]string{}}
	s := open(t, dir, "reserve", "0")
	for i := range 300 {
		mustSet(t, s, fmt.Sprint("key ", i), fmt.Sprint("old ", i, strings.Repeat(".", 100)))
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		key, value := fmt.Sprint("key ", i), fmt.Sprint("new ", i, strings.Repeat(".", 100))
		mustSet(t, s, key, value)
		im.want[key] = value
	}
	// With the kernel is on the disk, as long as the machine runs.
	copyDir(t, dir, im.dir)
	return im
}

// closedStore is the directory of a store that was closed: all in tables.
func closedStore(t *testing.T) image {
	t.Helper()
	killed := killedStore(t)
	mustClose(t, open(t, killed.dir, "reserve", "0"))
	return killed
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from))); err != nil {
		t.Fatal(err)
	}
}

func (im image) file(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(im.dir, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return filepath.Base(names[len(names)-1])
}

// check opens a damaged copy and reads everything: each entry is what it was,
// or an error. It reports whether there was an error.
func (im image) check(t *testing.T, dir, what string) (reported bool) {
	t.Helper()
	s := &Store{}
	if err := configure(s, dir, "reserve", "0"); err != nil {
		if !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("%s: opening: %v, want it unavailable", what, err)
		}
		return true
	}
	defer s.Close()
	for key, want := range im.want {
		e, ok, err := s.Get(t.Context(), key)
		switch {
		case err != nil:
			if !errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("%s: Get: %v, want it unavailable", what, err)
			}
			reported = true
		case !ok || string(e.Value) != want:
			t.Errorf("%s: Get(%q) = %.10q, %v; want %.10q", what, key, e.Value, ok, want)
			return true
		}
	}
	seen := map[string]bool{}
	for key, err := range s.Scan(t.Context(), "") {
		if err != nil {
			reported = true
			break
		}
		seen[key] = true
	}
	if !reported && len(seen) != len(im.want) {
		t.Errorf("%s: Scan yields %d keys, want %d", what, len(seen), len(im.want))
	}
	return reported
}

// flip checks n copies of the image, in each of which one bit of the file is
// changed, between the shares from and to of its length.
func (im image) flip(t *testing.T, pattern string, n int, from, to float64) (reported int) {
	t.Helper()
	name := im.file(t, pattern)
	good, err := os.ReadFile(filepath.Join(im.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "damaged")
	for range n {
		copyDir(t, im.dir, dir)
		b := append([]byte(nil), good...)
		at := int((from + (to-from)*rand.Float64()) * float64(len(b)))
		bit := byte(1) << rand.IntN(8)
		b[at] ^= bit
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if im.check(t, dir, fmt.Sprintf("%s, byte %d of %d ^ %#x", name, at, len(b), bit)) {
			reported++
		}
	}
	return reported
}

// Damage is an error. It is never a miss, nor a value from before.
func TestDamagedBits(t *testing.T) {
	const flips = 25
	killed := killedStore(t)
	closed := closedStore(t)
	for _, c := range []struct {
		name    string
		im      image
		pattern string
	}{
		{"the log", killed, "*.log"},
		{"the manifest", killed, "MANIFEST-*"},
		{"a table", closed, "*.sst"},
		{"the manifest after closing", closed, "MANIFEST-*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n := c.im.flip(t, c.pattern, flips, 0, 1); n < flips*3/4 {
				t.Errorf("%d of %d flipped bits were reported", n, flips)
			}
			// At the end a crash is likeliest taken for the reason.
			c.im.flip(t, c.pattern, 5, 0.98, 1)
		})
	}
}

// Each mark is there twice, so one bit costs at most the newest one.
func TestDamagedWatermark(t *testing.T) {
	killedStore(t).flip(t, markName, 25, 0, 1)
}

// Damage that a running store meets stops its writes, and only them.
func TestDamageWhileOpen(t *testing.T) {
	im := closedStore(t)
	s := &Store{}
	if err := configure(s, im.dir, "reserve", "0"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(im.dir, im.file(t, "*.sst"))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	// In the first block of entries.
	_, err = f.WriteAt([]byte("damage"), 100)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	errs, hits := 0, 0
	for key := range im.want {
		if _, ok, err := s.Get(t.Context(), key); err != nil {
			errs++
		} else if ok {
			hits++
		}
	}
	if errs == 0 || hits == 0 || errs+hits != len(im.want) {
		t.Errorf("of %d entries %d are read and %d are errors", len(im.want), hits, errs)
	}
	if err := s.Set(t.Context(), "k", cache.Entry{}); !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), filepath.Base(path)) {
		t.Errorf("Set: %v, want it unavailable because of %s", err, path)
	}
	if err := s.Close(); err == nil {
		t.Error("Close says nothing of the damage")
	}
}

func TestDamagedFiles(t *testing.T) {
	truncate := func(share float64) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			info, err := os.Stat(path)
			if err == nil {
				err = os.Truncate(path, int64(share*float64(info.Size())))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	killed, closed := killedStore(t), closedStore(t)
	for _, c := range []struct {
		name    string
		im      image
		pattern string
		harm    func(t *testing.T, path string)
	}{
		{"a log cut short", killed, "*.log", truncate(0.9)},
		{"a log cut to nothing", killed, "*.log", truncate(0)},
		{"no log", killed, "*.log", remove},
		{"a manifest cut short", killed, "MANIFEST-*", truncate(0.5)},
		{"a manifest cut to nothing", closed, "MANIFEST-*", truncate(0)},
		{"no manifest", closed, "MANIFEST-*", remove},
		{"no marker of the manifest", closed, "marker.manifest.*", remove},
		{"no marker of the format", closed, "marker.format-version.*", remove},
		{"no table", closed, "*.sst", remove},
		{"a table cut short", closed, "*.sst", truncate(0.5)},
		{"no options", closed, "OPTIONS-*", truncate(0.5)},
		{"a watermark cut short", closed, markName, truncate(0.1)},
		{"a watermark cut to nothing", closed, markName, truncate(0)},
		{"no watermark", closed, markName, remove},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "damaged")
			copyDir(t, c.im.dir, dir)
			c.harm(t, filepath.Join(dir, c.im.file(t, c.pattern)))
			before := snapshot(t, dir)
			err := configure(&Store{}, dir, "reserve", "0")
			if err == nil {
				t.Fatal("it opens")
			}
			for path, content := range before {
				if after, err := os.ReadFile(path); content != "dir" && filepath.Base(path) != lockName && filepath.Base(path) != markName && (err != nil || string(after) != content) {
					t.Errorf("opening it changed %s: %v", path, err)
				}
			}
		})
	}
}

// The end of the log that a crash cut off is no damage: nobody was told that
// it is written.
func TestTornLog(t *testing.T) {
	im := killedStore(t)
	path := filepath.Join(im.dir, im.file(t, "*.log"))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("half of a record")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if im.check(t, im.dir, "a torn log") {
		t.Error("a torn log is reported as damage")
	}
}
