package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// ErrInDoubt: an earlier call on the key, or a Clear of it, was given up, and the
// plugin has not answered that yet: it may still be done. It wraps
// cache.ErrUnavailable.
var ErrInDoubt = fmt.Errorf("%w: a call on the key was given up, and the plugin has not answered it yet", cache.ErrUnavailable)

// fences keep later calls from the keys of calls that the plugin has not answered
// in time. Such a call may still be done: without a fence its late effect could
// land on top of a newer value, and calls on a key that hangs would pile up in the
// plugin. A fence falls when the plugin answers, and the fences of a process end
// with it.
type fences struct {
	// count is how many keys and prefixes are fenced. While it is 0, which is nearly
	// always, a call pays for one read of it.
	count atomic.Int64

	// fell is called with each key that has no fence any more, and clears when a
	// Clear is fenced off (1) and when it is not any more (-1).
	fell   func(key string)
	clears func(int)

	mu       sync.Mutex
	keys     map[string]*fence
	prefixes map[string]*fence // of the keys that begin so
}

type fence struct {
	calls int // not answered
	since time.Time
	down  chan struct{} // closed when all of them are answered
}

// raise fences the keys until the call that failed with err is answered. It
// reports false if that call is not under way any more.
func (f *fences) raise(err error, keys []string) bool {
	f.mu.Lock() // lower, if it comes at once, comes after
	defer f.mu.Unlock()
	if !shared.OnAnswer(err, func() { f.lower(keys) }) {
		return false
	}
	if f.keys == nil {
		f.keys = make(map[string]*fence)
	}
	for _, key := range keys {
		f.begin(f.keys, key)
	}
	return true
}

// raiseAll is raise for a Clear of a prefix. What is written under one of its keys
// meanwhile would be gone with what is cleared.
func (f *fences) raiseAll(err error, prefix string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !shared.OnAnswer(err, func() { f.lowerAll(prefix) }) {
		return
	}
	if f.prefixes == nil {
		f.prefixes = make(map[string]*fence)
	}
	f.begin(f.prefixes, prefix)
	f.clears(1)
}

// begin adds a call to a fence; f.mu is held.
func (f *fences) begin(fenced map[string]*fence, name string) {
	k := fenced[name]
	if k == nil {
		k = &fence{since: time.Now(), down: make(chan struct{})}
		fenced[name] = k
		f.count.Add(1)
	}
	k.calls++
}

// end takes a call from a fence, and reports whether it has fallen; f.mu is held.
func (f *fences) end(fenced map[string]*fence, name string) bool {
	k := fenced[name]
	if k.calls--; k.calls > 0 {
		return false
	}
	delete(fenced, name)
	f.count.Add(-1)
	close(k.down)
	return true
}

// lower takes one call from the fence of each key.
func (f *fences) lower(keys []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range keys {
		if f.end(f.keys, key) {
			f.fell(key)
		}
	}
}

// lowerAll is lower for a Clear.
func (f *fences) lowerAll(prefix string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end(f.prefixes, prefix)
	f.clears(-1)
}

// of returns a fence that stands before key, or nil.
func (f *fences) of(key string) *fence {
	f.mu.Lock()
	defer f.mu.Unlock()
	if k := f.keys[key]; k != nil {
		return k
	}
	for prefix, k := range f.prefixes {
		if strings.HasPrefix(key, prefix) {
			return k
		}
	}
	return nil
}

// oldest returns the fence that has stood longest, or nil.
func (f *fences) oldest() *fence {
	if f.count.Load() == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var oldest *fence
	for _, fenced := range []map[string]*fence{f.keys, f.prefixes} {
		for _, k := range fenced {
			if oldest == nil || k.since.Before(oldest.since) {
				oldest = k
			}
		}
	}
	return oldest
}

// all returns the fenced keys.
func (f *fences) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.keys))
}

// err is the error of a call that the fence stands before.
func (k *fence) err() error {
	return fmt.Errorf("%w, for %v", ErrInDoubt, time.Since(k.since).Round(time.Millisecond))
}

// pass waits until no fence stands before a call on the key. It reports false if
// r is not the route any more.
func (r *route) pass(ctx context.Context, key string) (bool, error) {
	if !r.isFenced() {
		return true, nil
	}
	return r.passAll(ctx, func(f *fences) *fence { return f.of(key) })
}

// isFenced reports whether any fence stands before calls.
func (r *route) isFenced() bool {
	return r.inFlight != nil && (r.inFlight.fences.count.Load() > 0 ||
		r.retiring != nil && r.retiring.inFlight.fences.count.Load() > 0 && !isClosed(r.retiring.ended))
}

// passWrites is pass for a batch.
func (r *route) passWrites(ctx context.Context, writes []keyEntry) (bool, error) {
	if !r.isFenced() {
		return true, nil
	}
	return r.passAll(ctx, func(f *fences) *fence {
		for _, w := range writes {
			if k := f.of(w.key); k != nil {
				return k
			}
		}
		return nil
	})
}

// passKeys is pass for a batch of reads.
func (r *route) passKeys(ctx context.Context, keys []string) (bool, error) {
	if !r.isFenced() {
		return true, nil
	}
	return r.passAll(ctx, func(f *fences) *fence {
		for _, key := range keys {
			if k := f.of(key); k != nil {
				return k
			}
		}
		return nil
	})
}

// passAll waits until stands, which returns one of some fences, returns nil, as long
// as ctx lets it and shared.CallTimeout at most.
func (r *route) passAll(ctx context.Context, stands func(*fences) *fence) (bool, error) {
	timer := time.NewTimer(shared.CallTimeout)
	defer timer.Stop()
	for {
		k := stands(&r.inFlight.fences)
		var ended <-chan struct{}
		if k == nil && r.retiring != nil && !isClosed(r.retiring.ended) {
			k, ended = stands(&r.retiring.inFlight.fences), r.retiring.ended
		}
		if k == nil {
			return true, nil
		}
		select {
		case <-k.down:
		case <-ended:
		case <-r.next:
			return false, nil
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return false, fmt.Errorf("%w (%w)", k.err(), ctx.Err())
			}
			return false, ctx.Err()
		case <-timer.C:
			return false, k.err()
		}
	}
}

// keysOf returns the keys of the writes.
func keysOf(writes []keyEntry) []string {
	keys := make([]string, len(writes))
	for i := range writes {
		keys[i] = writes[i].key
	}
	return keys
}
