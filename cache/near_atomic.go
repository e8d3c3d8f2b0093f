package cache

import (
	"context"
	"iter"
	"time"
)

// What a Near leaves to the store. Each of the writes drops the copies that it
// may make stale, also when it changes nothing: who tried to swap what a copy
// showed, and failed, must not be shown it again.

// SetIfAbsent implements Adder.
func (n *Near) SetIfAbsent(ctx context.Context, key string, e Entry) (bool, error) {
	return n.update(key, e, CanAdd, "SetIfAbsent", func() (bool, error) {
		return SetIfAbsent(ctx, n.store, key, e)
	})
}

// CompareAndSwap implements Swapper.
func (n *Near) CompareAndSwap(ctx context.Context, key string, old []byte, e Entry) (bool, error) {
	return n.update(key, e, CanSwap, "CompareAndSwap", func() (bool, error) {
		return CompareAndSwap(ctx, n.store, key, old, e)
	})
}

// update makes a call that stores e or does nothing.
func (n *Near) update(key string, e Entry, need Capability, op string, do func() (bool, error)) (bool, error) {
	if err := n.can(need, op); err != nil {
		return false, err
	}
	call := n.calls.write(key)
	defer call.end()
	stored, err := do()
	if stored && err == nil {
		call.is(e, true)
	}
	return stored, err
}

// CompareAndDelete implements Swapper.
func (n *Near) CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error) {
	if err := n.can(CanSwap, "CompareAndDelete"); err != nil {
		return false, err
	}
	call := n.calls.write(key)
	defer call.end()
	return CompareAndDelete(ctx, n.store, key, old)
}

// Increment implements Counter.
func (n *Near) Increment(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
	if err := n.can(CanCount, "Increment"); err != nil {
		return 0, time.Time{}, err
	}
	call := n.calls.write(key)
	defer call.end()
	return Increment(ctx, n.store, key, delta, expiresIfNew)
}

// Touch implements Toucher.
func (n *Near) Touch(ctx context.Context, key string, expires time.Time) (bool, error) {
	if err := n.can(CanTouch, "Touch"); err != nil {
		return false, err
	}
	call := n.calls.write(key)
	defer call.end()
	return Touch(ctx, n.store, key, expires)
}

// Clear implements Clearer.
func (n *Near) Clear(ctx context.Context, prefix string) error {
	if err := n.can(CanClear, "Clear"); err != nil {
		return err
	}
	n.calls.hold()
	defer n.calls.release()
	n.dropAll(prefix)
	return Clear(ctx, n.store, prefix)
}

// Scan implements Scanner.
func (n *Near) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	if err := n.can(CanScan, "Scan"); err != nil {
		return func(yield func(string, error) bool) { yield("", err) }
	}
	return Scan(ctx, n.store, prefix)
}

// Watch implements Watcher: it tells of changes by others than this Near.
func (n *Near) Watch(ctx context.Context) iter.Seq2[Change, error] {
	if err := n.can(CanWatch, "Watch"); err != nil {
		return func(yield func(Change, error) bool) { yield(Change{}, err) }
	}
	return Watch(ctx, n.store)
}

// Flush implements Flusher.
func (n *Near) Flush(ctx context.Context) error {
	if err := n.can(CanFlush, "Flush"); err != nil {
		return err
	}
	return Flush(ctx, n.store)
}

var _ stopgap = (*Near)(nil)

// Itself is the Near, which a wrapper that embeds it is not.
func (n *Near) Itself() Store { return n }

// Outage is that of the store; see Fill.
func (n *Near) Outage() uint64 {
	if s := stopgapOf(n.store); s != nil {
		return s.Outage()
	}
	return 0
}

// Fill passes on what GetOrLoad has loaded, for a store in whose place
// something else may serve. To others it is SetIfAbsent.
func (n *Near) Fill(ctx context.Context, outage uint64, key string, e Entry) (bool, error) {
	return n.update(key, e, CanAdd, "SetIfAbsent", func() (bool, error) {
		if s := stopgapOf(n.store); s != nil {
			return s.Fill(ctx, outage, key, e)
		}
		return SetIfAbsent(ctx, n.store, key, e)
	})
}
