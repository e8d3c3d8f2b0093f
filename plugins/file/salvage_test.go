package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// salvaged copies what can be read in dir, and returns the copy, open. The directory
// must be as it was.
func salvaged(t *testing.T, dir string) (report, *Store) {
	t.Helper()
	before := snapshot(t, dir)
	newDir := filepath.Join(t.TempDir(), "copy")
	r, err := salvageStore(t.Context(), dir, newDir)
	if err != nil {
		t.Fatalf("salvaging: %v", err)
	}
	if !maps.Equal(before, snapshot(t, dir)) {
		t.Error("the directory was changed")
	}
	s := open(t, newDir, "reserve", "0")
	keys := 0
	for _, err := range s.Scan(t.Context(), "") {
		noError(t, err)
		keys++
	}
	if keys != r.Entries {
		t.Errorf("the copy has %d entries, and the report says %d", keys, r.Entries)
	}
	return r, s
}

// copyOpen copies the directory of a store that nobody writes to, as a kill leaves it,
// at a time when the store does not compact.
func copyOpen(t *testing.T, from, to string) {
	t.Helper()
	sizes := func() string {
		var text strings.Builder
		entries, err := os.ReadDir(from)
		noError(t, err)
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				fmt.Fprintln(&text, e.Name(), info.Size())
			}
		}
		return text.String()
	}
	eventually(t, "the directory stays as it is", func() bool {
		before := sizes()
		noError(t, os.RemoveAll(to))
		return os.CopyFS(to, os.DirFS(from)) == nil && sizes() == before
	})
}

// damage changes n bytes of a file, in the middle.
func (im image) damage(t *testing.T, pattern string, at float64, n int) (file string) {
	t.Helper()
	file = im.file(t, pattern)
	path := filepath.Join(im.dir, file)
	b, err := os.ReadFile(path)
	noError(t, err)
	from := int(at * float64(len(b)))
	for i := from; i < from+n; i++ {
		b[i] ^= 0x55
	}
	noError(t, os.WriteFile(path, b, 0o600))
	return file
}

// count returns how many entries of the image are as they should be, have their value
// from before, or are missing. There is nothing else.
func (im image) count(t *testing.T, s *Store) (good, old, missing int) {
	t.Helper()
	for key, want := range im.want {
		e, ok, err := s.Get(t.Context(), key)
		noError(t, err)
		switch {
		case !ok:
			missing++
		case string(e.Value) == want:
			good++
		case string(e.Value) == strings.Replace(want, "new", "old", 1):
			old++
		default:
			t.Fatalf("Get(%q) = %q, which was never written", key, e.Value)
		}
	}
	return good, old, missing
}

func TestSalvageOfAGoodStore(t *testing.T) {
	for name, im := range map[string]image{"killed": killedStore(t), "closed": closedStore(t)} {
		r, s := salvaged(t, im.dir)
		if good, _, _ := im.count(t, s); good != len(im.want) || len(r.Lost) > 0 {
			t.Errorf("%s: %d of %d entries are in the copy: %+v", name, good, len(im.want), r)
		}
	}
}

// What a crash leaves at the end of the log is no damage.
func TestSalvageOfATornLog(t *testing.T) {
	im := killedStore(t)
	f, err := os.OpenFile(filepath.Join(im.dir, im.file(t, "*.log")), os.O_APPEND|os.O_WRONLY, 0)
	noError(t, err)
	_, err = f.WriteString("the begin of a record")
	noError(t, errors.Join(err, f.Close()))
	r, s := salvaged(t, im.dir)
	if good, _, _ := im.count(t, s); good != len(im.want) || len(r.Lost) > 0 {
		t.Errorf("%d of %d entries are in the copy: %+v", good, len(im.want), r)
	}
}

// Damage costs what it hit.
func TestSalvage(t *testing.T) {
	for _, c := range []struct {
		name    string
		im      image
		pattern string
		at      float64
		bytes   int
		lost    int // most entries that are lost or old
	}{
		{"a record of the log", killedStore(t), "*.log", 0.3, 1, 4},
		{"a block of the log", killedStore(t), "*.log", 0.2, 10_000, 200}, // to the end of pebble's block
		{"a table", closedStore(t), "*.sst", 0.3, 1, 50},
		{"the manifest", closedStore(t), "MANIFEST-*", 0.5, 20, 0},
		{"the manifest of a killed store", killedStore(t), "MANIFEST-*", 0.1, 20, 0},
		{"the watermark", killedStore(t), markName, 0, 2 * markPlace, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := c.im.damage(t, c.pattern, c.at, c.bytes)
			s := &Store{}
			if err := configure(s, c.im.dir, "reserve", "0"); err == nil {
				c.im.check(t, c.im.dir, "before")
				mustClose(t, s)
			} else if !strings.Contains(err.Error(), "host doctor --store file:"+c.im.dir+" --salvage NEWDIR") {
				t.Errorf("Configure: %v, want it to name the way to salvage", err)
			}
			r, copied := salvaged(t, c.im.dir)
			good, old, missing := c.im.count(t, copied)
			if old+missing > c.lost {
				t.Errorf("%d entries are good, %d old, %d missing", good, old, missing)
			}
			if len(r.Lost) == 0 || !strings.HasPrefix(file, r.Lost[0].File) {
				t.Errorf("the report says %+v, want it to name %s", r.Lost, file)
			}
			var text strings.Builder
			noError(t, r.write(&text))
			for _, want := range []string{fmt.Sprintf("copied to %s: %d entries", r.NewDir, good+old), "unreadable: " + r.Lost[0].File} {
				if !strings.Contains(text.String(), want) {
					t.Errorf("the report is %q, want it to say %q", text.String(), want)
				}
			}
		})
	}
}

// Whatever is damaged, the copy has only what was written, and if it is not all the
// report says so.
func TestSalvageOfFlippedBits(t *testing.T) {
	killed, closed := killedStore(t), closedStore(t)
	for _, im := range []image{killed, closed} {
		names, err := listDir(im.dir)
		noError(t, err)
		for _, name := range names {
			path := filepath.Join(im.dir, name)
			whole, err := os.ReadFile(path)
			noError(t, err)
			for range 12 {
				if len(whole) == 0 {
					continue
				}
				b := append([]byte(nil), whole...)
				at, bit := rand.IntN(len(b)), byte(1)<<rand.IntN(8)
				b[at] ^= bit
				if rand.IntN(4) == 0 {
					b = b[:at]
				}
				noError(t, os.WriteFile(path, b, 0o600))
				r, s := salvaged(t, im.dir)
				good, old, missing := im.count(t, s)
				if old+missing > 0 && len(r.Lost) == 0 {
					t.Errorf("%s, byte %d of %d ^ %#x: %d entries are good, %d old, %d missing, and the report says nothing", name, at, len(whole), bit, good, old, missing)
				}
				mustClose(t, s)
			}
			noError(t, os.WriteFile(path, whole, 0o600))
		}
	}
}

// A table or a log that is missing altogether costs its own entries.
func TestSalvageOfMissingFiles(t *testing.T) {
	for _, pattern := range []string{"*.log", "*.sst", "MANIFEST-*", markName} {
		im := killedStore(t)
		noError(t, os.Remove(filepath.Join(im.dir, im.file(t, pattern))))
		r, s := salvaged(t, im.dir)
		good, old, missing := im.count(t, s)
		if pattern == "*.log" && old != len(im.want) || pattern != "*.log" && good != len(im.want) || len(r.Lost) == 0 {
			t.Errorf("without %s: %d entries are good, %d old, %d missing: %+v", pattern, good, old, missing, r)
		}
	}
}

// What was removed stays so, whatever file says it, and a copy keeps when entries
// expire.
func TestSalvageKeepsRemovalsAndExpiry(t *testing.T) {
	dir, killed := t.TempDir(), filepath.Join(t.TempDir(), "killed")
	s := open(t, dir, "reserve", "0")
	soon, late := time.Now().Add(time.Second), time.Now().Add(time.Hour).Truncate(time.Millisecond)
	for i := range 1000 {
		mustSet(t, s, fmt.Sprint("cleared ", i), "value")
		mustSet(t, s, fmt.Sprint("deleted ", i), "value")
		mustSet(t, s, fmt.Sprint("soon ", i), "value", soon)
		mustSet(t, s, fmt.Sprint("late ", i), "value", late)
	}
	remove := func(half int) {
		noError(t, s.Clear(t.Context(), fmt.Sprint("cleared ", half)))
		for i := range 500 {
			noError(t, s.Delete(t.Context(), fmt.Sprint("deleted ", half*500+i)))
		}
	}
	noError(t, s.db.Flush())
	remove(0) // in a table of its own
	noError(t, s.db.Flush())
	remove(1) // in the log
	for i := 2; i < 10; i++ {
		noError(t, s.Clear(t.Context(), fmt.Sprint("cleared ", i)))
	}
	mustSet(t, s, "cleared 5", "again")
	copyOpen(t, dir, killed)
	eventually(t, "the entries have expired", func() bool { return time.Now().After(soon) })

	r, copied := salvaged(t, killed)
	if r.Entries != 1001 || r.Expired != 1000 || len(r.Lost) > 0 {
		t.Errorf("the report is %+v, want 1001 entries, 1000 expired ones and nothing lost", r)
	}
	wantValue(t, copied, "cleared 5", "again")
	e, ok, err := copied.Get(t.Context(), "late 7")
	if err != nil || !ok || !e.Expires.Equal(late) {
		t.Errorf("Get = %+v, %v, %v; want it to expire at %v", e, ok, err, late)
	}
}

func TestSalvageRefuses(t *testing.T) {
	im := killedStore(t)
	full := t.TempDir()
	noError(t, os.WriteFile(filepath.Join(full, "file"), nil, 0o600))
	for name, c := range map[string]struct {
		dir, newDir, want string
	}{
		"a directory that is not empty": {im.dir, full, "holds file"},
		"the store itself":              {im.dir, im.dir, "is not to be changed"},
		"a directory in the store":      {im.dir, filepath.Join(im.dir, "a", "b"), "is not to be changed"},
		"a file":                        {im.dir, filepath.Join(full, "file"), "file"},
		"what is no store":              {full, filepath.Join(t.TempDir(), "new"), "no store"},
		"what is not there":             {filepath.Join(full, "none"), filepath.Join(t.TempDir(), "new"), "none"},
	} {
		before := snapshot(t, im.dir)
		if _, err := salvageStore(t.Context(), c.dir, c.newDir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, c.want)
		}
		if !maps.Equal(before, snapshot(t, im.dir)) {
			t.Errorf("%s: the directory was changed", name)
		}
		if _, err := os.Stat(c.newDir); !strings.HasPrefix(c.newDir, full) && c.newDir != im.dir && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %s is there: %v", name, c.newDir, err)
		}
	}
	s := open(t, im.dir, "reserve", "0")
	if _, err := salvageStore(t.Context(), im.dir, ""); !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("a store in use: %v, want it to name its process", err)
	}
	mustClose(t, s)
}

// Half a copy is no store, and none stays behind.
func TestSalvageIsInterrupted(t *testing.T) {
	im := killedStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	newDir := filepath.Join(t.TempDir(), "copy")
	if _, err := salvageStore(ctx, im.dir, newDir); !errors.Is(err, context.Canceled) {
		t.Errorf("salvaging: %v, want it canceled", err)
	}
	if _, err := os.Stat(newDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is there: %v", err)
	}
	// As a kill leaves it.
	r, err := copyStore(t.Context(), im.dir, filepath.Join(newDir, unfinished))
	if err != nil || r.Entries != len(im.want) {
		t.Fatalf("copying: %+v, %v", r, err)
	}
	if err := configure(&Store{}, newDir); !errors.Is(err, shared.ErrSetting) || !strings.Contains(err.Error(), unfinished) {
		t.Errorf("opening half a copy: %v, want it refused", err)
	}
}
