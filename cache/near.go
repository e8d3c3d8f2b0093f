package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// NearOptions bounds the copies of a Near; the zero value works.
type NearOptions struct {
	// MaxBytes and MaxEntries bound the copies, as MemoryOptions say. Zero: 64
	// MiB, and no bound.
	MaxBytes   int64
	MaxEntries int
	// MaxTTL is how long a copy is used, at most. The entry's Expires stays what
	// the store says. Zero: as long as the entry lives.
	MaxTTL time.Duration
}

// Exclusiver is a store that can tell whether only this one changes its data:
// no other host or program does. A store without it may be changed by others.
type Exclusiver interface {
	// Exclusive does not change while the store is open.
	Exclusive() bool
}

// Near is a store in front of another, such as a plugin's, that keeps copies of
// its entries in this process: to read one costs what Memory costs. It can do
// what the other can.
//
// All of this process must use the store through one Near. Through it a read
// that starts after a write has returned sees that write or a later one, and
// no read sees an older value than one before it saw. Over a store that others
// change as well, what they wrote is seen when Watch has told of it. A write
// that failed may still be done by the store, later; while it is not known, a
// copy may show what was there before it, for MaxTTL at most.
//
// What is not there is not remembered. When the watch is lost all copies are
// dropped, and none is made until there is another.
//
// While the store is unavailable, what was copied is still found, unless the
// store is watched.
type Near struct {
	store  Store
	copies *Memory
	maxTTL time.Duration
	calls  nearCalls

	closed  atomic.Bool
	closing sync.Once
	cancel  context.CancelFunc // ends the watch
	watch   sync.WaitGroup
}

var (
	_ Store      = (*Near)(nil)
	_ Batcher    = (*Near)(nil)
	_ Adder      = (*Near)(nil)
	_ Swapper    = (*Near)(nil)
	_ Counter    = (*Near)(nil)
	_ Toucher    = (*Near)(nil)
	_ Scanner    = (*Near)(nil)
	_ Clearer    = (*Near)(nil)
	_ Watcher    = (*Near)(nil)
	_ Flusher    = (*Near)(nil)
	_ Limiter    = (*Near)(nil)
	_ Declarer   = (*Near)(nil)
	_ Exclusiver = (*Near)(nil)
	_ io.Closer  = (*Near)(nil)
)

// NewNear returns a Near over store, which must be exclusive (see Exclusiver)
// or a Watcher: copies of what others change unseen would be stale for ever.
func NewNear(store Store, o NearOptions) (*Near, error) {
	if store == nil {
		return nil, errors.New("cache: near: there is no store")
	}
	if o.MaxTTL < 0 {
		return nil, fmt.Errorf("%w: NearOptions.MaxTTL is %v", ErrInvalidTTL, o.MaxTTL)
	}
	exclusive := isExclusive(store)
	if !exclusive && !CapabilitiesOf(store).Has(CanWatch) {
		return nil, errors.New("cache: near: others may change the store's data, and it has no Watch that would tell of it: copies would be stale")
	}
	copies, err := NewMemory(MemoryOptions{MaxBytes: o.MaxBytes, MaxEntries: o.MaxEntries})
	if err != nil {
		return nil, fmt.Errorf("cache: near: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &Near{store: store, copies: copies, maxTTL: o.MaxTTL, cancel: cancel}
	n.calls.init(n)
	if !exclusive {
		n.calls.hold()
		n.watch.Go(func() { n.keepWatching(ctx) })
	}
	return n, nil
}

func isExclusive(s Store) bool {
	x, ok := s.(Exclusiver)
	return ok && x.Exclusive()
}

// Get returns the entry under key and whether there is one: the copy, or what
// the store has.
func (n *Near) Get(ctx context.Context, key string) (Entry, bool, error) {
	e, err := n.copies.lookup(ctx, key)
	switch {
	case err != nil:
		return Entry{}, false, err
	case e == nil:
		return n.fetch(ctx, key)
	case n.maxTTL != 0:
		return unpack(e.entry()), true, nil
	}
	return e.entry(), true, nil
}

func (n *Near) fetch(ctx context.Context, key string) (Entry, bool, error) {
	call := n.calls.read(key)
	defer call.end()
	e, ok, err := n.store.Get(ctx, key)
	if err != nil {
		return Entry{}, false, err
	}
	call.is(e, ok)
	return e, ok, nil
}

// Set replaces the entry under key in the store.
func (n *Near) Set(ctx context.Context, key string, e Entry) error {
	if n.closed.Load() {
		return ErrClosed
	}
	call := n.calls.write(key)
	defer call.end()
	err := n.store.Set(ctx, key, e)
	if err == nil {
		call.is(e, true)
	}
	return err
}

// Delete removes key from the store.
func (n *Near) Delete(ctx context.Context, key string) error {
	if n.closed.Load() {
		return ErrClosed
	}
	call := n.calls.write(key)
	defer call.end()
	return n.store.Delete(ctx, key)
}

// Close drops the copies and ends the watch; it returns when that has ended. It
// leaves the store open, never fails, and may be called again.
func (n *Near) Close() error {
	n.closing.Do(func() {
		n.closed.Store(true)
		n.cancel()
		n.watch.Wait()
		_ = n.copies.Close()
	})
	return nil
}

// Capabilities are those of the store.
func (n *Near) Capabilities() Capability { return CapabilitiesOf(n.store) }

// Limits are those of the store.
func (n *Near) Limits() Limits { return LimitsOf(n.store) }

// Exclusive tells whether the store is.
func (n *Near) Exclusive() bool { return isExclusive(n.store) }

// Stats tells of the copies.
func (n *Near) Stats() MemoryStats { return n.copies.Stats() }

// can refuses what the store did not declare.
func (n *Near) can(need Capability, op string) error {
	if n.closed.Load() {
		return ErrClosed
	}
	if !CapabilitiesOf(n.store).Has(need) {
		return unsupported(op)
	}
	return nil
}

// copy keeps a copy of e, in the place of one that may be there.
func (n *Near) copy(key string, e Entry) {
	if n.maxTTL != 0 {
		e = pack(e, Deadline(time.Now(), n.maxTTL))
	}
	// A caller's context has no say: what it saw is there, whether it waits
	// for the answer or not.
	if n.copies.Set(context.Background(), key, e) != nil {
		n.drop(key)
	}
}

func (n *Near) drop(key string) { _ = n.copies.Delete(context.Background(), key) }

// packed is what pack adds to a value.
const packed = 8

// pack returns e with the expiry last, if its own is not earlier, and its own
// behind the value: who asks for the entry must not be told a shorter life.
func pack(e Entry, last time.Time) Entry {
	value := append(make([]byte, 0, len(e.Value)+packed), e.Value...)
	value = binary.LittleEndian.AppendUint64(value, uint64(ExpiryMillis(e.Expires)))
	if !e.Expires.IsZero() && e.Expires.Before(last) {
		last = e.Expires
	}
	return Entry{Value: value, Expires: last}
}

func unpack(e Entry) Entry {
	at := len(e.Value) - packed
	own := memoryEntry{expires: int64(binary.LittleEndian.Uint64(e.Value[at:]))}
	return Entry{Value: e.Value[:at:at], Expires: own.deadline()}
}
