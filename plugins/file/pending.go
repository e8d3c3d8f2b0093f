package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/harpia-go/harpia/cache"
)

// pending is what was written and is not in the log yet as the sync mode
// demands. Pebble shows it to readers at once; a death of this process would
// bring back what was there before. So nobody is told of it, in whatever way,
// before it is as durable as its writer is promised: see Store.settle.
type pending struct {
	// A key belongs to a bucket, and all keys of a bucket to one stripe of the
	// locks, under which a write enters here and is applied. So the last write
	// of a bucket is the last in the log. Nil: all are there.
	last [buckets]atomic.Pointer[pendingWrite]

	// The keys whose last write may never get to the log: see Store.decided.
	mu      sync.Mutex
	doubted map[string]*pendingWrite
	doubts  atomic.Int64 // len(doubted)
}

const buckets = 4 * keyLocks

// pendingWrite is a write from before it can be seen until it is in the log, or
// was given up.
type pendingWrite struct {
	keys   []string // none: of a Clear, which at worst has removed nothing
	in     []int    // its buckets
	before []*pendingWrite
	// ended is closed when it is over, after all that were before it.
	ended chan struct{}

	// Of a write that was given up: what the log had lost before it was applied,
	// and how many memtables are written out when it is in a table for certain.
	losses, tables int64
}

// begin notes that w can be seen from now on. The caller has the locks of its
// buckets.
func (p *pending) begin(w *pendingWrite) {
	w.ended = make(chan struct{})
	for _, b := range w.in {
		if last := p.last[b].Swap(w); last != nil && last != w {
			w.before = append(w.before, last)
		}
	}
}

// end notes that w is in the log, or else that this is unknown.
func (p *pending) end(w *pendingWrite, known bool) {
	for _, earlier := range w.before {
		<-earlier.ended
	}
	w.before = nil
	if !known || p.doubts.Load() > 0 {
		p.doubt(w, known)
	}
	close(w.ended)
	for _, b := range w.in {
		p.last[b].CompareAndSwap(w, nil)
	}
}

func (p *pending) doubt(w *pendingWrite, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range w.keys {
		if known {
			delete(p.doubted, key)
			continue
		}
		if p.doubted == nil {
			p.doubted = make(map[string]*pendingWrite)
		}
		p.doubted[key] = w
	}
	p.doubts.Store(int64(len(p.doubted)))
}

// await returns once everything that could be seen of key when it was called is
// in the log, or was given up.
func (s *Store) await(ctx context.Context, key string) error {
	w := s.pending.last[s.locks.bucket(key)].Load()
	if w == nil {
		return nil
	}
	select {
	case <-w.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle returns once everything that could be seen of key when it was called
// outlives this process. An error says that it may not.
func (s *Store) settle(ctx context.Context, key string) error {
	if err := s.await(ctx, key); err != nil {
		return err
	}
	p := &s.pending
	if p.doubts.Load() == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.doubted[key]
	if w == nil {
		return nil
	}
	if err := s.decided(w); err != nil {
		return fmt.Errorf("%w (whether the last write of this key is kept is unknown)", err)
	}
	delete(p.doubted, key)
	p.doubts.Store(int64(len(p.doubted)))
	return nil
}

// decided returns nil once a write that was given up is kept for certain: the
// log has caught up with it, or it is in a table.
func (s *Store) decided(w *pendingWrite) error {
	if err := s.writable(); err != nil {
		return err
	}
	if w.losses != s.files.losses.Load() && s.backlog.written.Load() < w.tables {
		return fmt.Errorf("file: the disk was full, and has not all of it yet: %w", cache.ErrUnavailable)
	}
	return nil
}
