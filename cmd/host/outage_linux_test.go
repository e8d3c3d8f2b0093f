package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

// While the file plugin cannot start, more is written than its journal holds: what
// was acknowledged is found afterwards, and so is what was there before, though the
// process dies again and again.
func TestFileStoreAfterALongOutage(t *testing.T) {
	for name, limits := range map[string]pluginstore.JournalLimits{
		"entries": {Entries: 5},
		"bytes":   {Bytes: 2000},
		"on disk": {Entries: 5, Dir: filepath.Join(t.TempDir(), "journal")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			s, err := pluginstore.Open(t.Context(), "file:"+dir, &pluginstore.Options{
				Dirs: []string{built}, Locks: []string{filepath.Join(built, pluginstore.LockFile)},
				Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Journal: limits,
				Restart: pluginstore.Restart{MinDelay: 10 * time.Millisecond, MaxDelay: 50 * time.Millisecond, Failures: 1 << 20},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			kept := make(map[string]string)
			set := func(ctx context.Context, key, text string) error {
				err := s.Set(ctx, key, cache.Entry{Value: []byte(text)})
				if err == nil {
					kept[key] = text
				}
				return err
			}
			for i := range 100 {
				if err := set(t.Context(), fmt.Sprint("old", i), "before"); err != nil {
					t.Fatal(err)
				}
			}
			// Its directory is a file for a time.
			aside := dir + " aside"
			if err := errors.Join(os.Rename(dir, aside), os.WriteFile(dir, nil, 0o600), syscall.Kill(s.PID(), syscall.SIGKILL)); err != nil {
				t.Fatal(err)
			}
			refused := 0
			for i := range 200 {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				if err := set(ctx, fmt.Sprint("new", i), "during"); errors.Is(err, cache.ErrUnavailable) {
					refused++
				} else if err != nil {
					t.Error(err)
				}
				cancel()
			}
			if refused == 0 || refused == 200 {
				t.Errorf("%d of 200 writes were refused", refused)
			}
			if err := errors.Join(os.Remove(dir), os.Rename(aside, dir)); err != nil {
				t.Fatal(err)
			}
			// Large values of eight writers, and a kill every now and then.
			var writers sync.WaitGroup
			var mu sync.Mutex
			stop := make(chan struct{})
			for w := range 8 {
				writers.Go(func() {
					for i := range 10 {
						key, text := fmt.Sprintf("large %d %d", w, i), fmt.Sprintf("%d %0*d", w, 1<<20, i)
						if err := s.Set(t.Context(), key, cache.Entry{Value: []byte(text)}); err == nil {
							mu.Lock()
							kept[key] = text
							mu.Unlock()
						} else if !errors.Is(err, cache.ErrUnavailable) {
							t.Error(err)
						}
					}
				})
			}
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(200 * time.Millisecond):
						if pid := s.PID(); pid != 0 {
							_ = syscall.Kill(pid, syscall.SIGKILL)
						}
					}
				}
			}()
			writers.Wait()
			close(stop)
			until := time.Now().Add(time.Minute)
			for s.Status().State != pluginstore.Ready && time.Now().Before(until) {
				time.Sleep(10 * time.Millisecond)
			}
			for key, text := range kept {
				e, ok, err := s.Get(t.Context(), key)
				if err != nil || !ok || string(e.Value) != text {
					t.Errorf("%s, which was acknowledged, holds %d bytes, %v, %v", key, len(e.Value), ok, err)
				}
			}
			t.Logf("%d writes acknowledged and found, %d of 200 refused", len(kept), refused)
		})
	}
}
