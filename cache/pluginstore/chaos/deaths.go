//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/shared"
)

// callers work on the store whose deaths are measured, each with a pause of a
// millisecond between its calls.
const callers = 4

// measureDeaths kills the file plugin as often as it is told, as it is run by
// default: with the first pause before a restart, since each death is that of
// a store just opened, whose plugin never failed before.
func measureDeaths(ctx context.Context, deaths int, root *root, report *report) error {
	place, err := root.place(0)
	if err != nil {
		return err
	}
	var toFirst, toNext samples
	for i := range deaths {
		if err := measureDeath(ctx, place, &toFirst, &toNext); err != nil {
			return fmt.Errorf("death %d: %w", i, err)
		}
	}
	report.line("%s: %v", toFallback, &toFirst)
	report.line("%s: %v", toReady, &toNext)
	return nil
}

func measureDeath(ctx context.Context, place *place, toFirst, toNext *samples) (err error) {
	s, err := pluginstore.Open(ctx, "file:"+filepath.Join(place.data, "data"), &pluginstore.Options{
		Dirs:     []string{place.plugins},
		Logger:   place.log,
		Insecure: []string{filepath.Join(place.plugins, shared.BinaryPrefix+"file")},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, stop := context.WithTimeout(ctx, recovery)
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	for id := range callers {
		working.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				key := ownKey(id, n%100)
				if n%5 == 0 {
					_ = s.Set(ctx, key, cache.Entry{Value: makeValue(key, 128)})
				} else {
					_, _, _ = s.Get(ctx, key)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // under load
	before := s.Status()
	if !isReady(before) {
		return fmt.Errorf("the store is not ready: %+v", before)
	}
	began := time.Now()
	kill(before.PID)
	for !s.Status().Fallback {
		if _, _, err := s.Get(ctx, ownKey(0, 0)); err != nil {
			return err
		}
	}
	// The call that found the bridge may have been the plugin's last.
	if _, _, err := s.Get(ctx, ownKey(0, 0)); err != nil {
		return err
	}
	toFirst.add(time.Since(began))
	for {
		if status := s.Status(); isReady(status) && status.Generation > before.Generation {
			toNext.add(time.Since(began))
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(poll)
	}
}
