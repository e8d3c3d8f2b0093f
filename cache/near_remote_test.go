package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// remote is data elsewhere, which several hosts change. It numbers the changes
// in their order.
type remote struct {
	mu      sync.Mutex
	entries map[string]cache.Entry
	changes int64
	written map[string]int64 // which change wrote it, by key and value
	hosts   []*remoteHost
	late    sync.WaitGroup // changes that nobody waits for any more
}

func newRemote(hosts int) *remote {
	r := &remote{entries: map[string]cache.Entry{}, written: map[string]int64{}}
	for range hosts {
		r.hosts = append(r.hosts, &remoteHost{remote: r})
	}
	return r
}

// remoteHost is what one host sees of a remote: a store that is slow, fails and
// tells late of what the others change.
type remoteHost struct {
	remote    *remote
	exclusive bool
	// pause is called before and after the data is used, and before a change is
	// told; nil: no pause.
	pause func()
	// fault is what becomes of a call; nil: it succeeds.
	fault func() fault

	calls    atomic.Int64
	watching []*remoteWatch // guarded by remote.mu
	deaf     error          // why nobody can watch; guarded by remote.mu
}

type fault int

const (
	succeed  fault = iota
	notDone        // and an error
	done           // and an error
	doneLate       // and an error before
)

// remoteWatch is one Watch.
type remoteWatch struct {
	wake    chan struct{}
	pending []cache.Change
	lost    error
}

// at is the key of a context for where a call is to say which change it was.
type at struct{}

var (
	_ cache.Batcher    = (*remoteHost)(nil)
	_ cache.Adder      = (*remoteHost)(nil)
	_ cache.Swapper    = (*remoteHost)(nil)
	_ cache.Counter    = (*remoteHost)(nil)
	_ cache.Toucher    = (*remoteHost)(nil)
	_ cache.Scanner    = (*remoteHost)(nil)
	_ cache.Clearer    = (*remoteHost)(nil)
	_ cache.Watcher    = (*remoteHost)(nil)
	_ cache.Flusher    = (*remoteHost)(nil)
	_ cache.Exclusiver = (*remoteHost)(nil)
)

func (h *remoteHost) Exclusive() bool { return h.exclusive }

func (h *remoteHost) rest() {
	if h.pause != nil {
		h.pause()
	}
}

// use makes a call that does do under the lock.
func (h *remoteHost) use(ctx context.Context, do func()) error {
	h.calls.Add(1)
	h.rest()
	if err := ctx.Err(); err != nil {
		return err
	}
	locked := func() {
		h.remote.mu.Lock()
		defer h.remote.mu.Unlock()
		do()
	}
	what := succeed
	if h.fault != nil {
		what = h.fault()
	}
	switch what {
	case notDone:
		return cache.ErrUnavailable
	case doneLate:
		h.remote.late.Go(func() {
			h.rest()
			h.rest()
			h.rest()
			locked()
		})
		return cache.ErrUnavailable
	}
	locked()
	h.rest()
	if what == done {
		return cache.ErrUnavailable
	}
	return nil
}

// change makes a call for a valid key that changes it as it does; to tells to
// what, and whether at all.
func (h *remoteHost) change(ctx context.Context, key string, e cache.Entry, to func(now cache.Entry, ok bool) (cache.Entry, bool)) error {
	if err := cache.CheckEntry(key, e, cache.DefaultMaxValue); err != nil {
		return err
	}
	number, _ := ctx.Value(at{}).(*int64)
	return h.use(ctx, func() {
		now, ok := h.live(key)
		e, changes := to(now, ok)
		if !changes {
			return
		}
		h.remote.changes++
		if number != nil {
			*number = h.remote.changes
		}
		if e.Expired(time.Now()) {
			delete(h.remote.entries, key)
		} else {
			h.remote.entries[key] = e
			h.remote.written[key+"="+string(e.Value)] = h.remote.changes
		}
		h.tell(cache.Change{Key: key})
	})
}

// gone is an entry that removes its key.
var gone = cache.Entry{Expires: time.UnixMilli(1)}

func (h *remoteHost) live(key string) (cache.Entry, bool) {
	e, ok := h.remote.entries[key]
	return e, ok && !e.Expired(time.Now())
}

// tell tells the others; remote.mu is held.
func (h *remoteHost) tell(c cache.Change) {
	for _, other := range h.remote.hosts {
		if other != h {
			other.hear(c)
		}
	}
}

// hear makes the watches of h tell of a change; remote.mu is held.
func (h *remoteHost) hear(c cache.Change) {
	for _, w := range h.watching {
		w.pending = append(w.pending, c)
		w.notify()
	}
}

func (w *remoteWatch) notify() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

var errWatchLost = errors.New("the watch was lost")

// lose ends all watches of h. What they had not told yet they never will.
func (h *remoteHost) lose() {
	h.remote.mu.Lock()
	defer h.remote.mu.Unlock()
	for _, w := range h.watching {
		w.lost = errWatchLost
		w.notify()
	}
	h.watching = nil
}

// refuse makes all watches to come fail with err; nil: succeed.
func (h *remoteHost) refuse(err error) {
	h.remote.mu.Lock()
	defer h.remote.mu.Unlock()
	h.deaf = err
}

func (h *remoteHost) Watch(ctx context.Context) iter.Seq2[cache.Change, error] {
	return func(yield func(cache.Change, error) bool) {
		w := &remoteWatch{wake: make(chan struct{}, 1), pending: []cache.Change{{All: true}}}
		h.remote.mu.Lock()
		err := h.deaf
		if err == nil {
			h.watching = append(h.watching, w)
		}
		h.remote.mu.Unlock()
		if err != nil {
			yield(cache.Change{}, err)
			return
		}
		for {
			h.remote.mu.Lock()
			pending, lost := w.pending, w.lost
			w.pending = nil
			h.remote.mu.Unlock()
			if lost != nil {
				yield(cache.Change{}, lost)
				return
			}
			for _, c := range pending {
				h.rest()
				if !yield(c, nil) {
					return
				}
			}
			select {
			case <-w.wake:
			case <-ctx.Done():
				yield(cache.Change{}, ctx.Err())
				return
			}
		}
	}
}

func (h *remoteHost) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	found, err := h.GetMany(ctx, []string{key})
	if err != nil {
		return cache.Entry{}, false, err
	}
	return found[0].Entry, found[0].Found, nil
}

func (h *remoteHost) Set(ctx context.Context, key string, e cache.Entry) error {
	return h.change(ctx, key, e, func(cache.Entry, bool) (cache.Entry, bool) { return e, true })
}

func (h *remoteHost) Delete(ctx context.Context, key string) error {
	return h.change(ctx, key, gone, func(cache.Entry, bool) (cache.Entry, bool) { return gone, true })
}

func (h *remoteHost) GetMany(ctx context.Context, keys []string) ([]cache.Lookup, error) {
	found := make([]cache.Lookup, len(keys))
	for i, key := range keys {
		if err := cache.CheckKey(key); err != nil {
			return nil, err
		}
		// One that is done late is not seen.
		var l cache.Lookup
		if err := h.use(ctx, func() { l.Entry, l.Found = h.live(key) }); err != nil {
			return nil, err
		}
		found[i] = l
		if !found[i].Found {
			found[i].Entry = cache.Entry{}
		}
	}
	return found, nil
}

func (h *remoteHost) SetMany(ctx context.Context, items []cache.Item) error {
	for _, it := range items {
		if err := h.Set(ctx, it.Key, it.Entry); err != nil {
			return err
		}
	}
	return nil
}

func (h *remoteHost) DeleteMany(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := h.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// What is done late says so to nobody: results are read only without an error.

func (h *remoteHost) SetIfAbsent(ctx context.Context, key string, e cache.Entry) (bool, error) {
	var stored bool
	err := h.change(ctx, key, e, func(_ cache.Entry, ok bool) (cache.Entry, bool) {
		stored = !ok
		return e, stored
	})
	return err == nil && stored, err
}

func (h *remoteHost) CompareAndSwap(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
	var swapped bool
	err := h.change(ctx, key, e, func(now cache.Entry, ok bool) (cache.Entry, bool) {
		swapped = ok && bytes.Equal(now.Value, old)
		return e, swapped
	})
	return err == nil && swapped, err
}

func (h *remoteHost) CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error) {
	return h.CompareAndSwap(ctx, key, old, gone)
}

func (h *remoteHost) Increment(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
	var sum int64
	var until time.Time
	var no error
	err := h.change(ctx, key, cache.Entry{}, func(now cache.Entry, ok bool) (cache.Entry, bool) {
		if !ok {
			now = cache.Entry{Value: []byte("0"), Expires: expiresIfNew}
		}
		now.Value, sum, no = cache.Add(now.Value, delta)
		until = now.Expires
		return now, no == nil
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	if no != nil {
		return 0, time.Time{}, no
	}
	return sum, until, nil
}

func (h *remoteHost) Touch(ctx context.Context, key string, expires time.Time) (bool, error) {
	var found bool
	err := h.change(ctx, key, cache.Entry{}, func(now cache.Entry, ok bool) (cache.Entry, bool) {
		found = ok
		return cache.Entry{Value: now.Value, Expires: expires}, ok
	})
	return err == nil && found, err
}

func (h *remoteHost) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var entries map[string]cache.Entry
		if err := h.use(ctx, func() { entries = maps.Clone(h.remote.entries) }); err != nil {
			yield("", err)
			return
		}
		for key, e := range entries {
			if err := ctx.Err(); err != nil {
				yield("", err)
				return
			}
			if strings.HasPrefix(key, prefix) && !e.Expired(time.Now()) && !yield(key, nil) {
				return
			}
		}
	}
}

func (h *remoteHost) Clear(ctx context.Context, prefix string) error {
	number, _ := ctx.Value(at{}).(*int64)
	return h.use(ctx, func() {
		h.remote.changes++
		if number != nil {
			*number = h.remote.changes
		}
		maps.DeleteFunc(h.remote.entries, func(key string, _ cache.Entry) bool { return strings.HasPrefix(key, prefix) })
		h.tell(cache.Change{All: true})
	})
}

func (h *remoteHost) Flush(ctx context.Context) error { return h.use(ctx, func() {}) }

// String shows the data in a failed test.
func (r *remote) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%q after %d changes", r.entries, r.changes)
}
