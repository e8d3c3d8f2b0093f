package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// entrySize is what max_bytes counts.
func entrySize(key, value string) int64 { return int64(len(key)+len(value)) + entryOverhead }

// recount adds up the live bytes by looking at every entry, and compares it
// with what the store believes.
func recount(t testing.TB, s *Store) int64 {
	t.Helper()
	var live int64
	count := 0
	err := s.each([]byte{spaceEntry}, []byte{spaceEntry + 1}, func(k, v []byte) (bool, error) {
		r, err := parseRecord(v)
		live += r.size(string(k[1:]))
		count++
		return true, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if live != s.bound.live {
		t.Fatalf("the entries count %d bytes, and the store believes %d", live, s.bound.live)
	}
	ages := 0
	err = s.each([]byte{spaceAge}, []byte{spaceAge + 1}, func(k, v []byte) (bool, error) {
		ages++
		return true, nil
	})
	if err != nil || ages != count {
		t.Fatalf("%d entries have %d ages, %v", count, ages, err)
	}
	return live
}

func TestEvictsTheOldest(t *testing.T) {
	value := strings.Repeat("v", 100)
	size := entrySize("key 00", value)
	dir := t.TempDir()
	settings := []string{"max_bytes", fmt.Sprint(10 * size)}
	s, clock := withClock(t, dir, settings...)
	key := func(i int) string { return fmt.Sprintf("key %02d", i) }
	wantLive := func(live ...int) {
		t.Helper()
		is := map[int]bool{}
		for _, i := range live {
			is[i] = true
		}
		for i := range 40 {
			if _, ok, err := s.Get(t.Context(), key(i)); err != nil || ok != is[i] {
				t.Errorf("%s is there: %v, %v; want %v", key(i), ok, err, is[i])
			}
		}
		if got := recount(t, s); got > 10*size {
			t.Errorf("%d bytes are live, and the bound is %d", got, 10*size)
		}
	}
	for i := range 12 {
		mustSet(t, s, key(i), value)
	}
	wantLive(2, 3, 4, 5, 6, 7, 8, 9, 10, 11)

	// Writing again makes young; reading does not.
	mustSet(t, s, key(2), value)
	wantValue(t, s, key(3), value)
	mustSet(t, s, key(12), value)
	wantLive(2, 4, 5, 6, 7, 8, 9, 10, 11, 12)

	// The ages outlive the process.
	mustClose(t, s)
	s = mustConfigure(t, &Store{clock: clock}, dir, settings...)
	wantLive(2, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	mustSet(t, s, key(13), value)
	wantLive(2, 5, 6, 7, 8, 9, 10, 11, 12, 13)

	// What has expired goes first, though it is the youngest.
	mustSet(t, s, key(14), value, clock.Now().Add(time.Second))
	clock.Advance(time.Minute)
	mustSet(t, s, key(15), value)
	wantLive(2, 6, 7, 8, 9, 10, 11, 12, 13, 15)

	// What is deleted makes room.
	noError(t, s.DeleteMany(t.Context(), []string{key(6), key(7), key(6), key(39)}))
	mustSet(t, s, key(16), value)
	mustSet(t, s, key(17), value)
	wantLive(2, 8, 9, 10, 11, 12, 13, 15, 16, 17)

	// A large one takes the place of many, but never of itself.
	mustSet(t, s, key(18), strings.Repeat("v", int(6*size-entrySize(key(18), ""))))
	wantLive(13, 15, 16, 17, 18)
	mustSet(t, s, key(18), strings.Repeat("v", int(10*size-entrySize(key(18), ""))))
	wantLive(18)

	// What is larger than the bound is refused, and changes nothing.
	tooLarge := cache.Entry{Value: []byte(strings.Repeat("v", int(10*size-entrySize(key(18), "")+1)))}
	if err := s.Set(t.Context(), key(18), tooLarge); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Set: %v, want too large", err)
	}
	if err := s.SetMany(t.Context(), []cache.Item{{Key: key(1)}, {Key: key(19), Entry: tooLarge}}); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("SetMany: %v, want too large", err)
	}
	wantLive(18)
}

// A batch is as if its items were written one after the other.
func TestBatchLargerThanTheBound(t *testing.T) {
	s := open(t, t.TempDir(), "max_bytes", fmt.Sprint(5*entrySize("k0", "v")))
	var items []cache.Item
	for i := range 10 {
		items = append(items, cache.Item{Key: fmt.Sprint("k", i), Entry: cache.Entry{Value: []byte("v")}})
	}
	mustSet(t, s, "k0", "o")
	mustSet(t, s, "o", "o")
	items = append(items, cache.Item{Key: "k8", Entry: cache.Entry{Value: []byte("w")}})
	noError(t, s.SetMany(t.Context(), items))
	recount(t, s)
	for _, key := range []string{"o", "k0", "k1", "k2", "k3", "k4"} {
		wantMiss(t, s, key)
	}
	wantValue(t, s, "k5", "v")
	wantValue(t, s, "k8", "w")
	wantValue(t, s, "k9", "v")
}

// The bound can be set, changed and taken away between two openings.
func TestBoundComesAndGoes(t *testing.T) {
	dir := t.TempDir()
	const n = 3000
	size := entrySize("key 0000", "v")
	at := func(i int) string { return fmt.Sprintf("key %04d", i) }
	s, clock := withClock(t, dir)
	for i := range n {
		clock.Advance(time.Millisecond)
		mustSet(t, s, at(n-1-i), "v")
	}
	mustClose(t, s)

	reopen := func(settings ...string) {
		t.Helper()
		s = mustConfigure(t, &Store{clock: clock}, dir, settings...)
	}
	reopen("max_bytes", fmt.Sprint(2000*size))
	if got := recount(t, s); got != 2000*size {
		t.Errorf("%d bytes are live, want %d", got, 2000*size)
	}
	wantMiss(t, s, at(n-1))
	wantMiss(t, s, at(2000))
	wantValue(t, s, at(1999), "v")
	mustClose(t, s)

	reopen("max_bytes", fmt.Sprint(10*size))
	if got := recount(t, s); got != 10*size {
		t.Errorf("%d bytes are live, want %d", got, 10*size)
	}
	wantValue(t, s, at(0), "v")
	mustClose(t, s)

	reopen()
	for i := range 100 {
		mustSet(t, s, at(i), "w")
	}
	if got := stored(t, s, spaceAge); got != 0 {
		t.Errorf("%d ages are kept without a bound", got)
	}
	mustClose(t, s)

	reopen("max_bytes", "1MiB")
	if got := recount(t, s); got != 100*size {
		t.Errorf("%d bytes are live, want %d", got, 100*size)
	}
}
