package main

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/harpia-go/harpia/cache"
)

// health remembers the first failure after which no write may be acknowledged
// any more. Reads go on; opening the store again is the way back.
type health struct {
	dir string
	err atomic.Pointer[error]
}

// failure returns that failure, if there was one.
func (h *health) failure() error {
	if err := h.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (h *health) fail(what string, cause error) {
	err := fmt.Errorf("file: writes to %s have stopped: %s: %w: %w: reads go on; look at the disk, then restart the store", h.dir, what, cause, cache.ErrUnavailable)
	if h.err.CompareAndSwap(nil, &err) {
		slog.Error("file: writes have stopped", "dir", h.dir, "reason", what, "error", cause.Error())
	}
}

// failurePause slows down a background task that fails again and again.
const failurePause = 100 * time.Millisecond

// listener makes what goes wrong in pebble's background a failure. A full disk
// is none: pebble tries again, and files slows it down; room tells the log.
func (h *health) listener(b *backlog) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if errors.Is(err, errClosing) {
				return
			}
			if isFull(err) {
				slog.Debug("file: the disk has no room to write a table", "dir", h.dir, "error", err.Error())
				return
			}
			if h.failure() != nil {
				// Pebble begins again at once, for ever.
				time.Sleep(failurePause)
			}
			h.fail("a background task failed", err)
		},
		// The read that found the damage returns it as well.
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			h.fail("a file is damaged", fmt.Errorf("%s: %w", info.Path, info.Details))
		},
		// Each memtable but the first comes with a log.
		WALCreated: func(pebble.WALCreateInfo) { b.begun.Add(1) },
		FlushEnd: func(info pebble.FlushInfo) {
			if info.Err == nil {
				b.written.Add(int64(info.Input))
			}
		},
	}
}

// pebbleLog is what pebble logs to.
type pebbleLog struct{ h *health }

// Infof drops what pebble tells of its daily work; it is much.
func (pebbleLog) Infof(string, ...any) {}

func (l pebbleLog) Errorf(format string, args ...any) {
	slog.Warn("file: "+fmt.Sprintf(format, args...), "dir", l.h.dir)
}

// Fatalf may not return, and what pebble calls it for is a broken invariant:
// the errors of files do not get here, see files. Whoever is above, a caller
// or nobody, decides what a panic does.
func (l pebbleLog) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	l.h.fail("pebble gave up", err)
	panic(err)
}
