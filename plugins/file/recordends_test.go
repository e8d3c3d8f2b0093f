package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"

	"github.com/harpia-go/harpia/cache"
)

// Wherever a log is cut off, what is known as the end of its last whole record is
// what pebble reads as that.
func TestRecordEndsAreWherePebbleReadsThem(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "reserve", "0", "sync", "never")
	for i := range 100 {
		size := []int{10, 1000, 32 << 10, 300_000}[i%4]
		mustSet(t, s, fmt.Sprint("key ", i), noise(rand.IntN(size)))
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("the logs are %q, %v", logs, err)
	}
	name := logs[len(logs)-1]
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	cut := t.TempDir()
	for range 200 {
		b := whole[:rand.IntN(len(whole)+1)]
		if err := os.WriteFile(filepath.Join(cut, filepath.Base(name)), b, 0o600); err != nil {
			t.Fatal(err)
		}
		scanned, err := wal.Scan(wal.Dir{FS: vfs.Default, Dirname: cut})
		if err != nil || len(scanned) != 1 {
			t.Fatalf("the logs are %v, %v", scanned, err)
		}
		want, _, err := logEnd(scanned[0])
		if err != nil {
			t.Fatal(err)
		}
		var got recordEnds
		for rest := b; len(rest) > 0; {
			n := 1 + rand.IntN(min(len(rest), 50_000))
			got.wrote(rest[:n])
			rest = rest[n:]
		}
		if got.end > want || got.end+logTail < want {
			t.Errorf("cut off after %d bytes the last record ends at %d, and pebble says %d", len(b), got.end, want)
		}
	}
}

// A store that is killed while its disk has room for a part of a record only opens
// with everything that was acknowledged, also on the full disk.
func TestKilledInTheMiddleOfARecord(t *testing.T) {
	for _, mode := range []string{"always", "interval", "never"} {
		for _, left := range []int64{1, 100, 40_000, 150_000} {
			t.Run(fmt.Sprintf("%s, %d bytes", mode, left), func(t *testing.T) {
				dir := t.TempDir()
				disk := newSmallDisk(dir, 256<<20)
				s := mustConfigure(t, &Store{fs: disk}, dir, "reserve", "0", "sync", mode)
				mustSet(t, s, "before", "before")
				disk.fill(left, false)
				if err := s.Set(t.Context(), "k", cache.Entry{Value: []byte(noise(200_000))}); !errors.Is(err, cache.ErrUnavailable) {
					t.Errorf("Set on a full disk: %v, want it unavailable", err)
				}
				killed := disk.clone()
				killed.makeRoom()
				mustClose(t, s)
				s = mustConfigure(t, &Store{fs: killed}, dir, "reserve", "0", "sync", mode)
				wantValue(t, s, "before", "before")
			})
		}
	}
}
