package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func withClock(t *testing.T, dir string, settings ...string) (*Store, *testClock) {
	t.Helper()
	clock := newTestClock()
	return mustConfigure(t, &Store{clock: clock}, dir, settings...), clock
}

// stored counts what the store keeps in a space, whether it is live or not.
func stored(t *testing.T, s *Store, space byte) int {
	t.Helper()
	n := 0
	err := s.each([]byte{space}, []byte{space + 1}, func(_, _ []byte) (bool, error) {
		n++
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wantStored(t *testing.T, s *Store, entries, index int) {
	t.Helper()
	if e, i := stored(t, s, spaceEntry), stored(t, s, spaceDue); e != entries || i != index {
		t.Errorf("%d entries and %d index entries are stored, want %d and %d", e, i, entries, index)
	}
}

func TestExpiresToTheMillisecond(t *testing.T) {
	s, clock := withClock(t, t.TempDir())
	expires := clock.Now().Add(10*time.Millisecond + 999*time.Microsecond)
	mustSet(t, s, "k", "v", expires)
	e, _, err := s.Get(t.Context(), "k")
	if want := expires.Truncate(time.Millisecond); err != nil || !e.Expires.Equal(want) {
		t.Errorf("Expires %v, %v; want %v", e.Expires, err, want)
	}
	clock.Advance(10*time.Millisecond - 1)
	wantValue(t, s, "k", "v")
	clock.Advance(1)
	wantMiss(t, s, "k")
	if found, err := s.Touch(t.Context(), "k", time.Time{}); found || err != nil {
		t.Errorf("Touch of an expired entry: %v, %v", found, err)
	}
	if stored, err := s.SetIfAbsent(t.Context(), "k", cache.Entry{Value: []byte("w")}); !stored || err != nil {
		t.Errorf("SetIfAbsent over an expired entry: %v, %v", stored, err)
	}
	wantValue(t, s, "k", "w")
}

func TestFarAndPastExpiry(t *testing.T) {
	s, clock := withClock(t, t.TempDir())
	far := time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC)
	mustSet(t, s, "far", "v", far)
	if e, ok, err := s.Get(t.Context(), "far"); err != nil || !ok || !e.Expires.IsZero() {
		t.Errorf("Get = %v, %v, %v", e.Expires, ok, err)
	}
	for _, past := range []time.Time{clock.Now(), time.UnixMilli(0), time.UnixMilli(-1), time.Unix(-1<<40, 0)} {
		mustSet(t, s, "past", "old")
		mustSet(t, s, "past", "v", past)
		wantMiss(t, s, "past")
	}
}

// Nobody has to read an entry for it to go.
func TestSweeperRemovesExpired(t *testing.T) {
	s, clock := withClock(t, t.TempDir())
	const n = 500
	for i := range n {
		mustSet(t, s, fmt.Sprint("short ", i), "v", clock.Now().Add(time.Minute))
		mustSet(t, s, fmt.Sprint("long ", i), "v", clock.Now().Add(time.Hour))
		mustSet(t, s, fmt.Sprint("ever ", i), "v")
	}
	clock.sweepNow()
	wantStored(t, s, 3*n, 2*n)
	clock.Advance(2 * time.Minute)
	clock.sweepNow()
	wantStored(t, s, 2*n, n)
	clock.Advance(2 * time.Hour)
	clock.sweepNow()
	wantStored(t, s, n, 0)
	for i := range n {
		wantValue(t, s, fmt.Sprint("ever ", i), "v")
	}
}

// What was written since with another expiry is not swept, and what is swept
// is not forgotten when the store is opened again.
func TestSweeperLooksAtTheEntry(t *testing.T) {
	dir := t.TempDir()
	s, clock := withClock(t, dir)
	soon, later := clock.Now().Add(time.Second), clock.Now().Add(time.Hour)
	for _, key := range []string{"touched", "set", "for ever", "counted", "again", "gone"} {
		mustSet(t, s, key, "1", soon)
	}
	if _, err := s.Touch(t.Context(), "touched", later); err != nil {
		t.Fatal(err)
	}
	mustSet(t, s, "set", "2", later)
	mustSet(t, s, "for ever", "2")
	if _, _, err := s.Increment(t.Context(), "counted", 1, later); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * time.Second)
	clock.sweepNow()
	wantMiss(t, s, "counted") // a counter keeps its expiry
	wantMiss(t, s, "again")
	wantValue(t, s, "touched", "1")
	wantValue(t, s, "set", "2")
	wantValue(t, s, "for ever", "2")
	wantStored(t, s, 3, 2)

	// A clock that was set back, and an expiry that was swept already.
	clock.Advance(-time.Second)
	mustSet(t, s, "again", "3", clock.Now().Add(500*time.Millisecond))
	wantValue(t, s, "again", "3")
	clock.Advance(2 * time.Second)
	clock.sweepNow()
	wantStored(t, s, 3, 2)
	mustClose(t, s)

	s = mustConfigure(t, &Store{clock: clock}, dir)
	clock.Advance(2 * time.Hour)
	clock.sweepNow()
	wantStored(t, s, 1, 0)
}

// An entry that is written again and again with the same life, as a session
// is, leaves a bounded number of index entries.
func TestRefreshedEntryKeepsTheIndexSmall(t *testing.T) {
	s, clock := withClock(t, t.TempDir(), "sync", "never")
	for range 3000 {
		mustSet(t, s, "session", "v", clock.Now().Add(24*time.Hour))
		clock.Advance(time.Second)
	}
	if n := stored(t, s, spaceDue); n > 70 {
		t.Errorf("%d index entries after 3000 writes", n)
	}
	clock.Advance(48 * time.Hour)
	clock.sweepNow()
	wantStored(t, s, 0, 0)
}

func dirSize(t *testing.T, dir string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// What expired, was cleared or deleted gives its space back, without a write
// that comes after it.
func TestSpaceIsGivenBack(t *testing.T) {
	const n = 1500 // of 32 KiB
	value := noise(32 << 10)
	for name, remove := range map[string]func(t *testing.T, s *Store, clock *testClock){
		"expiry":       func(*testing.T, *Store, *testClock) {},
		"clear":        func(t *testing.T, s *Store, _ *testClock) { noError(t, s.Clear(t.Context(), "")) },
		"clear prefix": func(t *testing.T, s *Store, _ *testClock) { noError(t, s.Clear(t.Context(), "k")) },
		"delete": func(t *testing.T, s *Store, _ *testClock) {
			for i := range n {
				noError(t, s.Delete(t.Context(), fmt.Sprint("k", i)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, clock := withClock(t, dir, "sync", "never", "reserve", "0")
			mustSet(t, s, "stays", "v")
			for i := range n {
				mustSet(t, s, fmt.Sprint("k", i), value, clock.Now().Add(time.Hour))
			}
			full := dirSize(t, dir)
			if full < n*32<<10 {
				t.Fatalf("%d entries take only %d bytes", n, full)
			}
			remove(t, s, clock)
			clock.Advance(2 * time.Hour)
			// What is left are logs to be used again, and they are bounded.
			const logs = (queuedTables + 3) * tableSize
			eventually(t, "the directory shrinks", func() bool {
				clock.sweepNow()
				clock.Advance(reclaimAfter)
				return dirSize(t, dir) < min(full/2, logs)
			})
			wantMiss(t, s, "k1")
			if name != "clear" {
				wantValue(t, s, "stays", "v")
			}
		})
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Clear removes its prefix, nothing else, and what a later write puts there is
// not swept for the expiry that was cleared.
func TestClearAndExpiry(t *testing.T) {
	for name, settings := range map[string][]string{"unbounded": nil, "bounded": {"max_bytes", "1GiB"}} {
		t.Run(name, func(t *testing.T) {
			s, clock := withClock(t, t.TempDir(), settings...)
			for _, n := range []int{3, 3 * fewKeys} {
				soon := clock.Now().Add(time.Second)
				for i := range n {
					for _, prefix := range []string{"a", "b", "b\xff", "b\xff\xff", "c"} {
						mustSet(t, s, fmt.Sprint(prefix, i), strings.Repeat("v", 50), soon)
					}
				}
				noError(t, s.Clear(t.Context(), "b\xff"))
				for i := range n {
					wantMiss(t, s, fmt.Sprint("b\xff", i))
					wantMiss(t, s, fmt.Sprint("b\xff\xff", i))
					for _, prefix := range []string{"a", "b", "c"} {
						wantValue(t, s, fmt.Sprint(prefix, i), strings.Repeat("v", 50))
					}
					mustSet(t, s, fmt.Sprint("b\xff", i), "again")
				}
				clock.Advance(time.Minute)
				clock.sweepNow()
				wantStored(t, s, n, 0)
				noError(t, s.Clear(t.Context(), ""))
				wantStored(t, s, 0, 0)
			}
		})
	}
}
