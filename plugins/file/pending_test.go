package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// slowLog holds what a disk does to the log, from hold to release.
type slowLog struct {
	op      string // "write" or "sync"
	held    atomic.Pointer[chan struct{}]
	waiting atomic.Int32
}

func (l *slowLog) do(op, name string) error {
	if held := l.held.Load(); held != nil && op == l.op && strings.HasSuffix(name, ".log") {
		l.waiting.Add(1)
		<-*held
	}
	return nil
}

func (l *slowLog) hold() { c := make(chan struct{}); l.held.Store(&c) }

func (l *slowLog) release() {
	if held := l.held.Swap(nil); held != nil {
		close(*held)
	}
}

// readers are the ways to learn what "k" holds: each returns it, "-" for nothing,
// as far as it can tell.
var readers = map[string]func(context.Context, *Store) (string, error){
	"Get": func(ctx context.Context, s *Store) (string, error) {
		e, found, err := s.Get(ctx, "k")
		return held(e, found), err
	},
	"GetMany": func(ctx context.Context, s *Store) (string, error) {
		found, err := s.GetMany(ctx, []string{"other", "k"})
		if err != nil {
			return "", err
		}
		return held(found[1].Entry, found[1].Found), nil
	},
	"Scan": func(ctx context.Context, s *Store) (string, error) {
		for key, err := range s.Scan(ctx, "k") {
			if key == "k" || err != nil {
				return "something", err
			}
		}
		return "", nil
	},
	"SetIfAbsent": func(ctx context.Context, s *Store) (string, error) {
		stored, err := s.SetIfAbsent(ctx, "k", cache.Entry{Value: []byte("absent")})
		if stored || err != nil {
			return "", err
		}
		return "something", nil
	},
	"CompareAndSwap": func(ctx context.Context, s *Store) (string, error) {
		swapped, err := s.CompareAndSwap(ctx, "k", []byte("9"), cache.Entry{Value: []byte("9")})
		if swapped || err != nil {
			return "", err
		}
		return "not 9", nil
	},
	"CompareAndDelete": func(ctx context.Context, s *Store) (string, error) {
		_, err := s.CompareAndDelete(ctx, "k", []byte("nothing of this"))
		return "", err
	},
	"Increment": func(ctx context.Context, s *Store) (string, error) {
		if _, _, err := s.Increment(ctx, "k", 0, time.Time{}); errors.Is(err, cache.ErrNotCounter) {
			return "no number", nil
		} else if err != nil {
			return "", err
		}
		return "", nil
	},
	"Touch": func(ctx context.Context, s *Store) (string, error) {
		found, err := s.Touch(ctx, "k", time.Time{})
		if found || err != nil {
			return "", err
		}
		return "-", nil
	},
}

func held(e cache.Entry, found bool) string {
	if !found {
		return "-"
	}
	return string(e.Value)
}

// agrees reports whether a reader that said so could have seen value.
func agrees(said, value string) bool {
	switch said {
	case "":
		return true
	case "something":
		return value != "-"
	case "not 9":
		return value != "9"
	case "no number":
		return strings.Trim(value, "0123456789") != ""
	}
	return said == value
}

// What anybody was told of a key is there after a death of the process, though
// the write of it was under way, and never acknowledged.
func TestWhatWasReadIsKept(t *testing.T) {
	nine := func(ctx context.Context, s *Store) error { return s.Set(ctx, "k", cache.Entry{Value: []byte("9")}) }
	text := func(ctx context.Context, s *Store) error {
		return s.SetMany(ctx, []cache.Item{{Key: "k", Entry: cache.Entry{Value: []byte("text")}}, {Key: "l"}})
	}
	writes := map[string]struct {
		before, write func(context.Context, *Store) error
	}{
		"Increment": {nine, func(ctx context.Context, s *Store) error {
			_, _, err := s.Increment(ctx, "k", 3, time.Time{})
			return err
		}},
		"SetMany": {nine, text},
		"Set":     {text, nine},
		"Delete":  {nine, func(ctx context.Context, s *Store) error { return s.Delete(ctx, "k") }},
		"Clear":   {nine, func(ctx context.Context, s *Store) error { return s.Clear(ctx, "") }},
		"Clear of a prefix": {nine, func(ctx context.Context, s *Store) error {
			return s.Clear(ctx, "k")
		}},
		"SetIfAbsent": {func(ctx context.Context, s *Store) error { return s.Delete(ctx, "k") }, func(ctx context.Context, s *Store) error {
			_, err := s.SetIfAbsent(ctx, "k", cache.Entry{Value: []byte("9")})
			return err
		}},
		"CompareAndSwap": {nine, func(ctx context.Context, s *Store) error {
			_, err := s.CompareAndSwap(ctx, "k", []byte("9"), cache.Entry{Value: []byte("10")})
			return err
		}},
		"CompareAndDelete": {nine, func(ctx context.Context, s *Store) error {
			_, err := s.CompareAndDelete(ctx, "k", []byte("9"))
			return err
		}},
	}
	for _, mode := range []struct{ op, sync, maxBytes string }{
		{"write", "never", "0"}, {"write", "interval", "64KiB"}, {"write", "always", "0"}, {"sync", "always", "64KiB"},
	} {
		for writing, w := range writes {
			for reading, read := range readers {
				t.Run(fmt.Sprint(mode.op, " ", mode.sync, "/", writing, "/", reading), func(t *testing.T) {
					t.Parallel()
					dir := t.TempDir()
					disk := newSmallDisk(dir, 1<<30)
					log := &slowLog{op: mode.op}
					slow := log.do
					disk.fails.Store(&slow)
					settings := []string{"sync", mode.sync, "max_bytes", mode.maxBytes, "reserve", "0"}
					s := mustConfigure(t, &Store{fs: disk, bootID: "before"}, dir, settings...)
					defer log.release()
					if err := w.before(t.Context(), s); err != nil {
						t.Fatal(err)
					}

					log.hold()
					written := make(chan error, 1)
					go func() { written <- w.write(t.Context(), s) }()
					eventually(t, "the write is in the log's queue", func() bool { return log.waiting.Load() > 0 })
					said := make(chan string, 1)
					go func() {
						value, err := read(t.Context(), s)
						if err != nil {
							t.Error(err)
						}
						said <- value
					}()
					value, waits := "", false
					select {
					case value = <-said:
					case <-time.After(20 * time.Millisecond):
						waits = true
					}

					// The power fails, or just the process.
					left, boot := 100, "before"
					if mode.op == "sync" {
						left, boot = 0, "after"
					}
					found := t.TempDir()
					crashed := mustConfigure(t, &Store{fs: disk.crash(t, left, found), bootID: boot}, found, settings...)
					e, ok, err := crashed.Get(t.Context(), "k")
					if err != nil {
						t.Fatal(err)
					}
					if !agrees(value, held(e, ok)) {
						t.Errorf("%s said %q, and after a death there is %q", reading, value, held(e, ok))
					}
					log.release()
					if err := <-written; err != nil {
						t.Error(err)
					}
					if waits {
						<-said
					}
				})
			}
		}
	}
}

// Nor is anybody told of what the disk had no room for, until it has.
func TestWhatWasReadOfAFullDiskIsKept(t *testing.T) {
	for _, mode := range []syncMode{syncAlways, syncInterval, syncNever} {
		t.Run(string(mode), func(t *testing.T) {
			dir := t.TempDir()
			disk := newSmallDisk(dir, 64<<20)
			settings := []string{"sync", string(mode), "reserve", "1MiB"}
			s := mustConfigure(t, &Store{fs: disk}, dir, settings...)
			mustSet(t, s, "k", "9")
			disk.fill(0, true)
			// What the store looked at last was room enough.
			_, _, err := s.Increment(t.Context(), "k", 3, time.Time{})
			if !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "unknown") {
				t.Fatalf("Increment on a full disk: %v, want it unknown", err)
			}
			check := func() error {
				t.Helper()
				e, found, err := s.Get(t.Context(), "k")
				if err != nil {
					return err
				}
				dir := t.TempDir()
				killed := mustConfigure(t, &Store{fs: disk.crash(t, 100, dir)}, dir, settings...)
				wantValue(t, killed, "k", held(e, found))
				return nil
			}
			if err := check(); !errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("Get of what may not be kept: %v", err)
			}
			if _, _, err := s.Get(t.Context(), "another"); err != nil {
				t.Errorf("Get of another key: %v", err)
			}
			disk.makeRoom()
			eventually(t, "the disk has room", func() bool { return check() == nil })
			wantValue(t, s, "k", "12")
		})
	}
}
