package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// What was removed takes space until the memtable that says so is written out
// and compacted with what it removes. An idle store would never fill a
// memtable, so the sweeper has it written out when this much was removed, or
// anything this long ago. Most of it pebble then compacts by itself.
const (
	reclaimBytes = 4 << 20
	reclaimAfter = time.Minute
)

// reclaimLooks is how many sweeps after that look at what is left. When it is
// much, and a quarter of all, they compact it.
const reclaimLooks = 10

// guessedSize stands for the size of an entry that was removed unseen.
const guessedSize = 1 << 10

// garbage estimates what was removed and still takes space.
type garbage struct {
	bytes atomic.Int64

	// The sweeper's.
	since time.Time
	looks int
}

func (g *garbage) add(bytes int64) { g.bytes.Add(bytes) }

// enough reports whether to reclaim at now, and then starts anew. In need,
// anything is enough.
func (g *garbage) enough(now time.Time, need bool) bool {
	bytes := g.bytes.Load()
	switch {
	case bytes == 0:
		return false
	case g.since.IsZero():
		g.since = now
	}
	if !need && bytes < reclaimBytes && now.Sub(g.since) < reclaimAfter {
		return false
	}
	g.bytes.Store(0)
	g.since = time.Time{}
	return true
}

// reclaim gives space back where there is enough to give.
func (s *Store) reclaim(ctx context.Context) {
	var err error
	switch {
	case s.garbage.enough(s.clock.Now(), s.room.short()):
		s.garbage.looks = reclaimLooks
		err = s.writeMemtable(ctx)
	case s.garbage.looks > 0:
		s.garbage.looks--
		err = s.compactGarbage(ctx)
	}
	if err != nil && ctx.Err() == nil {
		slog.Warn("file: what was removed still takes space", "error", err.Error())
	}
}

func (s *Store) writeMemtable(ctx context.Context) error {
	written, err := s.db.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-written:
	case <-ctx.Done():
	}
	return nil
}

func (s *Store) compactGarbage(ctx context.Context) error {
	m := s.db.Metrics()
	dead := m.Table.Garbage.PointDeletionsBytesEstimate + m.Table.Garbage.RangeDeletionsBytesEstimate
	all := m.Total()
	if dead < max(reclaimBytes, uint64(all.TablesSize)/4) {
		return nil
	}
	return s.db.Compact(ctx, []byte{0}, []byte{0xff}, true)
}
