package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// The store stops writing before the disk is full, serves what it has, and
// goes on when there is room.
func TestReserve(t *testing.T) {
	dir := t.TempDir()
	disk := newSmallDisk(dir, 64<<20)
	clock := newTestClock()
	s := mustConfigure(t, &Store{fs: disk, clock: clock}, dir, "reserve", "16MiB")
	clock.sweepNow() // which makes the ballast
	if !s.room.ballast.held() {
		t.Error("there is no ballast")
	}
	l := newLoad(t, s, 50_000)
	l.run(always)
	l.wantErrors("of 64.0 MiB are free", "16.0 MiB are reserved", dir)
	if usage, _ := disk.GetDiskUsage(""); usage.AvailBytes < 7<<20 { // half is for compactions
		t.Errorf("%d bytes are free, and 16 MiB are reserved", usage.AvailBytes)
	}
	if len(l.acked) < 100 {
		t.Errorf("only %d entries fit", len(l.acked))
	}
	l.check(s)

	// Deleting needs no reserve, and is how room is made.
	for key := range l.acked {
		if err := s.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	l.acked = map[string]string{}
	eventually(t, "what was deleted is given back", func() bool {
		clock.sweepNow()
		return s.Set(t.Context(), "again", cache.Entry{Value: []byte("again")}) == nil
	})
	l.acked["again"] = "again"
	l.check(s)
	mustClose(t, s)
	l.check(mustConfigure(t, &Store{fs: disk}, dir, "reserve", "1MiB"))
}

// A large value cannot pass between two looks at the disk.
func TestReserveAndLargeValues(t *testing.T) {
	dir := t.TempDir()
	disk := newSmallDisk(dir, 100<<20)
	s := mustConfigure(t, &Store{fs: disk}, dir, "reserve", "40MiB")
	mustSet(t, s, "k", "v")
	if err := s.Set(t.Context(), "large", cache.Entry{Value: make([]byte, 61<<20)}); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Set of 61 MiB with 100 MiB free and 40 MiB reserved: %v, want it unavailable", err)
	}
	wantMiss(t, s, "large")
	mustSet(t, s, "k", "w")
}

func TestReserveOfATooSmallDisk(t *testing.T) {
	dir := t.TempDir()
	err := configure(&Store{fs: newSmallDisk(dir, 32<<20)}, dir)
	if err == nil || !strings.Contains(err.Error(), "32.0 MiB") || !strings.Contains(err.Error(), "reserve=") {
		t.Errorf("Configure: %v, want it to name the size of the disk and a smaller reserve", err)
	}
}

// Somebody else fills the disk to the last byte, and goes on taking what the
// store gives up. Nothing is lost, nobody waits, and it all goes on when there
// is room.
func TestForeignFileFillsTheDisk(t *testing.T) {
	for _, mode := range []syncMode{syncAlways, syncInterval, syncNever} {
		t.Run(string(mode), func(t *testing.T) {
			dir := t.TempDir()
			disk := newSmallDisk(dir, 256<<20)
			s := mustConfigure(t, &Store{fs: disk}, dir, "reserve", "16MiB", "sync", string(mode))
			s.room.ballast.make()
			l := newLoad(t, s, 4_000)
			for round := range 3 {
				l.prefix = fmt.Sprint(round, "-")
				filled := make(chan struct{})
				go func() {
					defer close(filled)
					time.Sleep(time.Duration(20+rand.IntN(100)) * time.Millisecond)
					disk.fill(0, true)
				}()
				l.run(always)
				<-filled
				l.wantErrors("room")
				l.check(s)
				// It also goes on without those of the store's own tasks that
				// cannot be done.
				flushed, err := s.db.AsyncFlush()
				if err != nil {
					t.Fatal(err)
				}
				wantMiss(t, s, "nope")
				// Until it is looked at again, an old log may have room for a little.
				eventually(t, "writes are refused", func() bool {
					return errors.Is(s.Set(t.Context(), "refused", cache.Entry{}), cache.ErrUnavailable)
				})
				l.check(s)
				disk.makeRoom()
				eventually(t, "writes are accepted", func() bool {
					return s.Set(t.Context(), "again", cache.Entry{Value: []byte("again")}) == nil
				})
				<-flushed
				l.check(s)
			}
			mustClose(t, s)
			l.check(mustConfigure(t, &Store{fs: disk}, dir))
		})
	}
}

// Without a reserve a write meets the end of the disk: the log is behind, and
// a large batch ends that log at once.
func TestNoReserve(t *testing.T) {
	for name, size := range map[string]int{"small": 100, "large": 8 << 20} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			disk := newSmallDisk(dir, 256<<20)
			s := mustConfigure(t, &Store{fs: disk}, dir, "reserve", "0", "sync", "never")
			mustSet(t, s, "before", "before")
			for range 3 {
				disk.fill(0, true)
				for range 2 {
					if err := s.Set(t.Context(), "k", cache.Entry{Value: []byte(noise(size))}); !errors.Is(err, cache.ErrUnavailable) {
						t.Errorf("Set on a full disk: %v, want it unavailable", err)
					}
				}
				wantValue(t, s, "before", "before")
				disk.makeRoom()
				eventually(t, "writes are accepted", func() bool {
					return s.Set(t.Context(), "after", cache.Entry{Value: []byte("after")}) == nil
				})
			}
			// As a kill leaves it.
			killed := disk.clone()
			mustClose(t, s)
			s = mustConfigure(t, &Store{fs: killed}, dir, "reserve", "0")
			wantValue(t, s, "before", "before")
			wantValue(t, s, "after", "after")
		})
	}
}

// A store is closed and opened on a full disk: it says why it cannot be
// opened, if it cannot, and loses nothing.
func TestOpenOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	disk := newSmallDisk(dir, 256<<20)
	s := &Store{fs: disk}
	if err := configure(s, dir, "reserve", "16MiB", "sync", "never"); err != nil {
		t.Fatal(err)
	}
	l := newLoad(t, s, 4_000)
	go func() {
		time.Sleep(100 * time.Millisecond)
		disk.fill(0, true)
	}()
	l.run(always)
	l.wantErrors("room")
	_ = s.Close() // which may tell of it

	// What one attempt leaves behind must not look like damage to the next.
	for range 3 {
		s = &Store{fs: disk}
		if err := configure(s, dir, "reserve", "16MiB"); err == nil {
			t.Error("it opens without room for anything")
			_ = s.Close()
		} else if !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("Configure: %v, want it unavailable for want of space", err)
		}
	}
	disk.makeRoom()
	l.check(mustConfigure(t, &Store{fs: disk}, dir, "reserve", "16MiB"))
}

// Attempts to open that fail at any file leave nothing that looks like damage.
func TestOpenFailsAgainAndAgain(t *testing.T) {
	for _, op := range []string{"create", "write", "sync"} {
		for _, file := range []string{".log", "MANIFEST-", "marker.manifest", "OPTIONS"} {
			t.Run(op+" "+file, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				disk := newSmallDisk(dir, 1<<40)
				s := &Store{fs: disk}
				if err := configure(s, dir); err != nil {
					t.Fatal(err)
				}
				mustSet(t, s, "k", "v")
				mustClose(t, s)
				fail := func(o, name string) error {
					if o == op && strings.Contains(name, file) {
						return syscall.ENOSPC
					}
					return nil
				}
				disk.fails.Store(&fail)
				for range 3 {
					s := &Store{fs: disk}
					if configure(s, dir) == nil {
						_ = s.Close()
					}
				}
				disk.fails.Store(nil)
				wantValue(t, mustConfigure(t, &Store{fs: disk}, dir), "k", "v")
			})
		}
	}
}

// Any other failure of the disk stops the writes for good. The directory stays
// as it was, to be opened again.
func TestDiskFails(t *testing.T) {
	for _, op := range []string{"write", "sync", "create"} {
		for _, file := range []string{".log", "MANIFEST-", ".sst"} {
			if op == "create" && file == "MANIFEST-" {
				continue // which happens once in a long while
			}
			t.Run(op+" "+file, func(t *testing.T) {
				dir := t.TempDir()
				disk := newSmallDisk(dir, 1<<40)
				s := &Store{fs: disk}
				if err := configure(s, dir, "sync", "always"); err != nil {
					t.Fatal(err)
				}
				l := newLoad(t, s, 20_000)
				fail := func(o, name string) error {
					if o == op && strings.Contains(name, file) {
						return syscall.EIO
					}
					return nil
				}
				begin := time.Now()
				l.run(func() bool {
					if time.Since(begin) > 50*time.Millisecond {
						disk.fails.CompareAndSwap(nil, &fail)
					}
					return true
				})
				l.wantErrors("input/output error")
				wantNoMoreWrites(t, s)
				l.check(s)
				if err := s.Close(); err == nil {
					t.Error("Close says nothing of it")
				}
				disk.fails.Store(nil)
				l.check(mustConfigure(t, &Store{fs: disk}, dir))
			})
		}
	}
}

// wantNoMoreWrites checks that no write is taken any more, and reads are.
func wantNoMoreWrites(t *testing.T, s *Store) {
	t.Helper()
	for method, err := range everyCall(s) {
		switch method {
		case "Get", "GetMany", "Scan":
			if err != nil {
				t.Errorf("%s: %v, want it to go on", method, err)
			}
		default:
			if !errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("%s: %v, want it unavailable", method, err)
			}
		}
	}
}
