//go:build unix

package spool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/harpia-go/harpia/cache"
)

func write(key, text string) Write {
	return Write{key, &cache.Entry{Value: []byte(text), Expires: time.UnixMilli(1 << 41)}}
}

func open(t *testing.T, dir string) (*File, []Write) {
	t.Helper()
	f, writes, err := Open(dir, "s")
	if err != nil {
		t.Fatal(err)
	}
	return f, writes
}

// What was appended is found by who opens the file next, though nobody closed it.
func TestWritesOutliveTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "below", "spool")
	f, _ := open(t, dir)
	want := []Write{write("a", "1"), {Key: "b"}, {"never", &cache.Entry{Value: []byte{}}}, write("a", "2")}
	for _, w := range want {
		if err := f.Append(w); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := Open(dir, "s"); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	_ = f.lock.Close() // as the system does when a process ends
	next, got := open(t, dir)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("there are %v, want %v", got, want)
	}
	if err := next.Reset(want[:1]); err != nil {
		t.Fatal(err)
	}
	if err := next.Append(want[1]); err != nil {
		t.Fatal(err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	next, got = open(t, dir)
	if !reflect.DeepEqual(got, want[:2]) {
		t.Errorf("after Reset there are %v", got)
	}
	if err := next.Reset(nil); err != nil {
		t.Error(err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Wherever a process is killed in the middle of a write, what came before is found.
func TestTornTail(t *testing.T) {
	text := appendRecord(appendRecord([]byte(header), write("a", "1")), write("b", "2"))
	first := len(appendRecord([]byte(header), write("a", "1")))
	for n := range len(text) {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "s"), text[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		f, got := open(t, dir)
		if want := map[bool]int{true: 1}[n >= first]; len(got) != want || f.Damaged() != "" {
			t.Errorf("of %d bytes there are %d writes, want %d; damaged: %q", n, len(got), want, f.Damaged())
		}
		if err := f.Append(write("c", "3")); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		if f, again := open(t, dir); len(again) != len(got)+1 {
			t.Errorf("of %d bytes and a write there are %d writes", n, len(again))
		} else {
			_ = f.Close()
		}
	}
}

// Damage in the middle costs what is behind it, of which a copy is kept.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	text := appendRecord(appendRecord([]byte(header), write("a", "1")), write("b", "2"))
	text[len(text)-1] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "s"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	f, got := open(t, dir)
	defer f.Close()
	if len(got) != 1 {
		t.Errorf("there are %d writes", len(got))
	}
	if kept, err := os.ReadFile(f.Damaged()); err != nil || !bytes.Equal(kept, text) {
		t.Errorf("the copy is %q, %v", kept, err)
	}
}

// A write that failed is not there, and the next goes on.
func TestFullDisk(t *testing.T) {
	f, _ := open(t, filepath.Join(t.TempDir(), "d"))
	if err := f.Append(write("a", "1")); err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err) // not on this system
	}
	file := f.file
	f.file = full
	if err := f.Append(write("b", "2")); err == nil {
		t.Error("it was appended to a full disk")
	}
	f.file, f.broken = file, nil
	if err := f.Append(write("c", "3")); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(f.path)
	if writes, whole, bad := parse(text); err != nil || len(writes) != 2 || whole != len(text) || bad {
		t.Errorf("%v, %d of %d, %v, %v", writes, whole, len(text), bad, err)
	}
	_ = full.Close()
	_ = f.Close()
}

func TestDirectoriesOfOthers(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, filepath.Join(dir, "s")); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{open, file, dir} {
		if _, _, err := Open(d, "s"); err == nil {
			t.Errorf("%s was opened", d)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, 1, 1); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(dir, "other"); err == nil {
			t.Error("another user's directory was opened")
		}
	}
}

func TestRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(header)
		var want []Write
		for i := range rapid.IntRange(0, 5).Draw(t, "writes") {
			w := Write{Key: rapid.StringN(1, 20, -1).Draw(t, fmt.Sprint("key", i))}
			if rapid.Bool().Draw(t, "set") {
				w.Entry = &cache.Entry{Value: append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "value")...)}
				if ms := rapid.Int64Range(0, 1<<45).Draw(t, "expires"); ms != 0 {
					w.Entry.Expires = time.UnixMilli(ms)
				}
			}
			want = append(want, w)
			text = appendRecord(text, w)
		}
		got, whole, bad := parse(text)
		if !reflect.DeepEqual(got, want) || whole != len(text) || bad {
			t.Errorf("%v became %v, %d, %v", want, got, whole, bad)
		}
	})
}

// Whatever is in a file, what is taken for whole is so when it is written again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(header))
	f.Add(appendRecord(appendRecord([]byte(header), write("a", "1")), Write{Key: "b"}))
	f.Fuzz(func(t *testing.T, text []byte) {
		writes, whole, _ := parse(text)
		if whole > len(text) {
			t.Fatalf("%d of %d bytes are whole", whole, len(text))
		}
		if whole == 0 {
			return
		}
		again := []byte(header)
		for _, w := range writes {
			again = appendRecord(again, w)
		}
		if len(again) != whole {
			t.Errorf("%d bytes became %d", whole, len(again))
		}
	})
}
