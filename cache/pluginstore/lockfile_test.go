package pluginstore

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseLock(t *testing.T) {
	l, err := parseLock("f", []byte("# mine\r\n\r\n  b 1.2 linux/amd64\tsha256:"+digest+"  \na - darwin/arm64 sha256:"+digest))
	if err != nil {
		t.Fatal(err)
	}
	want := []Pin{{"b", "1.2", "linux/amd64", digest}, {"a", "-", "darwin/arm64", digest}}
	if !reflect.DeepEqual(l.pins, want) {
		t.Errorf("%v", l.pins)
	}
	sorted := "# mine\na - darwin/arm64 sha256:" + digest + "\nb 1.2 linux/amd64 sha256:" + digest + "\n"
	if got := string(l.format()); got != sorted {
		t.Errorf("%q", got)
	}
	l.put(Pin{"b", "1.3", "linux/amd64", digest})
	l.put(Pin{"b", "1.3", "linux/arm64", digest})
	if got := string(l.format()); !strings.Contains(got, "b 1.3 linux/amd64") || strings.Contains(got, "1.2") || strings.Count(got, "\n") != 4 {
		t.Errorf("%q", got)
	}
}

func TestWrongLockLines(t *testing.T) {
	for line, says := range map[string]string{
		"a 1 linux/amd64": "3 words",
		"a 1 linux/amd64 sha256:" + digest + " more":              "5 words",
		"a 1 linux/amd64 sha256:" + digest + " # why":             "6 words",
		"../a 1 linux/amd64 sha256:" + digest:                     "plugin name",
		".a 1 linux/amd64 sha256:" + digest:                       "plugin name",
		"a 1\x00 linux/amd64 sha256:" + digest:                    "version",
		"a 1 linux sha256:" + digest:                              "platform",
		"a 1 linux/amd64 " + digest:                               "sha256:",
		"a 1 linux/amd64 md5:" + digest:                           "SHA-256",
		"a 1 linux/amd64 sha256:" + digest[1:]:                    "SHA-256",
		"a 1 linux/amd64 sha256:" + strings.ToUpper(digest):       "SHA-256",
		"x 2 linux/amd64 sha256:" + strings.Repeat("0", 64):       "pinned for linux/amd64 already",
		strings.Repeat("a", 101) + " 1 a/b " + "sha256:" + digest: "plugin name",
	} {
		_, err := parseLock("the.lock", []byte("# comment\nx 1 linux/amd64 sha256:"+digest+"\n"+line+"\n"))
		if err == nil {
			t.Errorf("%q was read", line)
			continue
		}
		for _, text := range []string{says, "the.lock:3: ", "host plugins trust"} {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%q: %v\ndoes not say %q", line, err, text)
			}
		}
	}
}

// Whatever a plugin calls its version, its pin can be read again.
func TestVersionWord(t *testing.T) {
	for version, want := range map[string]string{
		"": "-", "1.2.3-rc.1+abc": "1.2.3-rc.1+abc", "(devel)": "(devel)", "two words\n# x": "two_words_x", strings.Repeat("é", 200): "_",
		strings.Repeat("1", 200): strings.Repeat("1", 100),
	} {
		if got := versionWord(version); got != want || !pinVersion.MatchString(got) {
			t.Errorf("%q became %q, want %q", version, got, want)
		}
	}
}

// What is read is written so that it is read as the same.
func FuzzLockFile(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("# c\na 1 linux/amd64 sha256:" + digest + "\nb - linux/amd64 sha256:" + digest + "\n"))
	f.Add([]byte("a 1 linux/amd64 sha256:" + digest + "\r\n\x85#\u2028\n"))
	f.Add([]byte("a 1 linux/amd64 sha256:" + digest + "\na 2 linux/amd64 sha256:" + digest))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := parseLock("f", text)
		if err != nil {
			return
		}
		written := l.format()
		again, err := parseLock("f", written)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", text, written, err)
		}
		if got := again.format(); string(got) != string(written) {
			t.Fatalf("%q was written as %q, and then as %q", text, written, got)
		}
		if len(again.pins) != len(l.pins) || len(l.comments) > 0 && !reflect.DeepEqual(again.comments, l.comments) {
			t.Fatalf("%q was read as %v, and as %v when written", text, l, again)
		}
		for _, p := range l.pins {
			if n := len(again.pins); func() bool { again.put(p); return len(again.pins) != n }() {
				t.Fatalf("%v was lost", p)
			}
		}
	})
}

// Of several writers none loses its pin, and a reader never sees half a file.
func TestWritersOfALockFile(t *testing.T) {
	const writers, each = 8, 10
	file := filepath.Join(t.TempDir(), "new", "plugins.lock")
	stop := make(chan struct{})
	var reader, wg sync.WaitGroup
	reader.Go(func() {
		pins := 0
		for {
			l, err := readLock(file)
			if err != nil || len(l.pins) < pins {
				t.Errorf("after %d pins: %d, %v", pins, len(l.pins), err)
				return
			}
			pins = len(l.pins)
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := writePin(t.Context(), file, Pin{fmt.Sprintf("p%d-%d", w, i), "1", thisPlatform, digest}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	reader.Wait()
	l, err := readLock(file)
	if err != nil || len(l.pins) != writers*each {
		t.Errorf("%d of %d pins are there: %v", len(l.pins), writers*each, err)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What a killed writer leaves is named, and a lock file that is not understood
// is not overwritten.
func TestLockFileIsNotOverwritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plugins.lock")
	if err := os.WriteFile(file, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pin := Pin{"a", "1", thisPlatform, digest}
	if err := writePin(t.Context(), file, pin); err == nil || !strings.Contains(err.Error(), file+":1: ") {
		t.Errorf("a lock file of nonsense: %v", err)
	}
	if text, err := os.ReadFile(file); string(text) != "nonsense\n" || err != nil {
		t.Errorf("it was changed: %q, %v", text, err)
	}
	if err := os.WriteFile(file+".new", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		if err := writePin(t.Context(), file, pin); err == nil || !strings.Contains(err.Error(), "rm "+file+".new") {
			t.Errorf("a writer was killed: %v", err)
		}
	})
}
