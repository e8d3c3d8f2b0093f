package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/spool"
)

// bridge serves while the plugin does not, from memory that knows what was
// written meanwhile and nothing else, and keeps the journal of it. There is one
// for each time that the plugin is down; it ends when another plugin's process
// has been told everything and serves.
type bridge struct {
	number   uint64 // of the outage, from 1
	memory   *cache.Memory
	maxValue int
	// forgets is called when the journal drops a value for the first time.
	forgets func()
	warned  bool
	// quarantine knows the keys that are told one by one, or not at all; nil: no key.
	quarantine *quarantine
	spool      *spooled // where the journal is as well; nil: nowhere

	mu      sync.Mutex
	journal journal
	telling []keyWrite // that the plugin has not answered yet
	// aside are keys of which it was told some time ago, and has not answered.
	aside map[string]time.Time
	// gate is not nil while the last of the journal is replayed: who wants to
	// write waits until it is closed.
	gate chan struct{}
	// pace is how far apart writes come, while they come faster than the plugin
	// is told of them; turn is when the next may. 0: as they come.
	pace  time.Duration
	turn  time.Time
	ended bool
	// sealed: the store is being closed, and nothing more is written.
	sealed bool
}

func newBridge(number uint64, limits JournalLimits, canClear, keeps bool, maxValue int) *bridge {
	m, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: limits.Bytes})
	if err != nil {
		panic(err) // the limits were checked
	}
	return &bridge{number: number, memory: m, maxValue: maxValue, forgets: func() {}, journal: journal{limits: limits, canClear: canClear, keeps: keeps}}
}

// get returns what was written under key since the plugin is down.
func (b *bridge) get(ctx context.Context, key string) (cache.Entry, bool, error) {
	e, ok, err := b.memory.Get(ctx, key)
	switch {
	case errors.Is(err, cache.ErrClosed):
		return cache.Entry{}, false, nil // the bridge has ended
	case ok || err != nil:
		return e, ok, err
	}
	// Memory may have evicted what the journal has.
	b.mu.Lock()
	defer b.mu.Unlock()
	w, _ := b.journal.of(key)
	if !w.set || w.entry.Expired(time.Now()) {
		return cache.Entry{}, false, nil
	}
	return w.entry, true, nil
}

// ErrJournalFull: the plugin is down, and there is no room in the journal for the
// write (see JournalLimits). It wraps cache.ErrUnavailable.
var ErrJournalFull = fmt.Errorf("%w: the plugin is down, and the journal of what it is still to be sent is full", cache.ErrUnavailable)

// write sets key to e, or empties it if e is nil. It reports false if the
// bridge has ended: the plugin serves again.
func (b *bridge) write(ctx context.Context, key string, e *cache.Entry) (bool, error) {
	if err := b.check(ctx, key, e); err != nil {
		return true, err
	}
	if ok, err := b.lock(ctx); !ok {
		return err != nil, err
	}
	defer b.mu.Unlock()
	return true, b.apply(key, e)
}

// fill sets key to e if memory has nothing under it; ok is as write reports it.
func (b *bridge) fill(ctx context.Context, key string, e cache.Entry) (stored, ok bool, err error) {
	if err := b.check(ctx, key, &e); err != nil {
		return false, true, err
	}
	if ok, err := b.lock(ctx); !ok {
		return false, err != nil, err
	}
	defer b.mu.Unlock()
	// Memory may have given up what the journal still has, and the journal have
	// forgotten what was written.
	w, known := b.journal.of(key)
	if w.dropped || w.set && !w.entry.Expired(time.Now()) || !known && b.journal.forgot {
		return false, true, nil
	}
	return true, true, b.apply(key, &e)
}

// lock locks b.mu once the gate is open and the pace allows it. It reports
// false, and does not lock, if the bridge has ended or ctx ends first.
func (b *bridge) lock(ctx context.Context) (bool, error) {
	b.mu.Lock()
	if delay := b.delay(); delay > 0 {
		b.mu.Unlock()
		if err := sleep(ctx, delay); err != nil {
			return false, err
		}
		b.mu.Lock()
	}
	for {
		gate, ended, sealed := b.gate, b.ended, b.sealed
		if gate == nil && !ended && !sealed {
			return true, nil
		}
		b.mu.Unlock()
		switch {
		case sealed:
			return false, cache.ErrClosed
		case ended:
			return false, nil
		}
		select {
		case <-gate:
		case <-ctx.Done():
			return false, ctx.Err()
		}
		b.mu.Lock()
	}
}

// delay is how long a write waits for its turn; b.mu is held.
func (b *bridge) delay() time.Duration {
	if b.pace == 0 {
		return 0
	}
	now := time.Now()
	if b.turn.Before(now) {
		b.turn = now
	}
	delay := b.turn.Sub(now)
	if b.turn = b.turn.Add(b.pace); b.turn.Sub(now) > longestWait {
		b.turn = now.Add(longestWait)
	}
	return delay
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unknown takes a write that was in flight when the plugin died, of which
// nobody knows whether it was done; overlapped if others of its key were in
// flight with it. It comes before replay begins: what was written here since,
// and is the newer, is still in the journal.
func (b *bridge) unknown(key string, e *cache.Entry, overlapped bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sealed {
		return cache.ErrClosed
	}
	if _, newer := b.journal.of(key); newer {
		return nil
	}
	if overlapped || b.journal.clear {
		e = nil
	}
	return b.apply(key, e)
}

// load takes what an earlier process has left: all of it, however much.
func (b *bridge) load(writes []spool.Write) {
	b.mu.Lock()
	defer b.mu.Unlock()
	limits := b.journal.limits
	b.journal.limits = JournalLimits{Entries: math.MaxInt / keysPerEntry, Bytes: math.MaxInt64}
	for _, w := range writes {
		b.journal.note(w.Key, w.Entry)
		if w.Entry == nil || b.memory.Set(context.Background(), w.Key, *w.Entry) != nil {
			_ = b.memory.Delete(context.Background(), w.Key)
		}
	}
	b.journal.limits = limits
}

// restore takes back a write that the plugin was told of and has not answered.
func (b *bridge) restore(w keyWrite) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var e *cache.Entry
	if w.set {
		e = &w.entry
	}
	return b.apply(w.key, e)
}

// apply changes memory and journal together.
func (b *bridge) apply(key string, e *cache.Entry) error {
	if b.journal.refuses(key, e) {
		return ErrJournalFull
	}
	if err := b.spool.append(key, e); err != nil {
		return err
	}
	b.journal.note(key, e)
	if !b.warned && (b.journal.dropped > 0 || b.journal.clear) {
		b.warned = true
		b.forgets()
	}
	ctx := context.Background()
	if e != nil && b.memory.Set(ctx, key, *e) == nil {
		return nil
	}
	// What memory cannot hold is a miss, and so is what it held before.
	return b.memory.Delete(ctx, key)
}

func (b *bridge) check(ctx context.Context, key string, e *cache.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if e == nil {
		return cache.CheckKey(key)
	}
	return cache.CheckEntry(key, *e, b.maxValue)
}

// seal lets nothing more be written.
func (b *bridge) seal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed = true
}

// size is what the plugin is still to be told.
func (b *bridge) size() JournalSize {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.journal.size()
}

// end frees what the bridge holds. Who still reads here finds nothing.
func (b *bridge) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	_ = b.memory.Close()
	b.journal = journal{}
}
