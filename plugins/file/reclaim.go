package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// What was removed takes space until the memtable that says so is written out;
// then pebble compacts what it makes obsolete by itself. An idle store would
// never fill a memtable, so the sweeper has it written out when this much was
// removed, or anything this long ago.
const (
	reclaimBytes = 4 << 20
	reclaimAfter = time.Minute
)

// guessedSize stands for the size of an entry that was removed unseen.
const guessedSize = 1 << 10

// garbage estimates what was removed and still takes space.
type garbage struct {
	bytes atomic.Int64
	since time.Time // the sweeper's
}

func (g *garbage) add(bytes int64) { g.bytes.Add(bytes) }

// enough reports whether to reclaim at now, and then starts anew.
func (g *garbage) enough(now time.Time) bool {
	bytes := g.bytes.Load()
	switch {
	case bytes == 0:
		return false
	case g.since.IsZero():
		g.since = now
	}
	if bytes < reclaimBytes && now.Sub(g.since) < reclaimAfter {
		return false
	}
	g.bytes.Store(0)
	g.since = time.Time{}
	return true
}

// reclaim writes the memtable out.
func (s *Store) reclaim(ctx context.Context) {
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		slog.Warn("file: removed entries still take space", "error", err)
		return
	}
	select {
	case <-flushed:
	case <-ctx.Done():
	}
}
