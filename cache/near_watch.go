package cache

import (
	"context"
	"math/rand/v2"
	"time"
)

// A watch that was lost is tried again after nearWatchFirst, then twice as long
// each time up to nearWatchLast, each time a quarter longer or shorter at random.
const (
	nearWatchFirst = 100 * time.Millisecond
	nearWatchLast  = 10 * time.Second
)

// keepWatching drops the copies of what others change. It begins, and is
// whenever there is no watch, with one hold of n.calls.
func (n *Near) keepWatching(ctx context.Context) {
	for delay := nearWatchFirst; ctx.Err() == nil; delay = min(2*delay, nearWatchLast) {
		if n.follow(ctx) {
			delay = nearWatchFirst
		}
		timer := time.NewTimer(delay*3/4 + rand.N(delay/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// follow follows one watch to its end, and reports whether it ever began.
// Changes are told from its first element on, which is Change.All.
func (n *Near) follow(ctx context.Context) (began bool) {
	defer func() {
		if began {
			n.calls.hold()
			n.dropAll("")
		}
	}()
	for change, err := range Watch(ctx, n.store) {
		switch {
		case err != nil:
			return began
		case !change.All && began:
			n.calls.changed(change.Key)
		case change.All && began:
			n.calls.hold()
			n.dropAll("")
			n.calls.release()
		case change.All:
			n.calls.release()
			began = true
		}
	}
	return began
}

// dropAll drops the copies of all keys with prefix; the caller holds n.calls.
func (n *Near) dropAll(prefix string) { _ = n.copies.Clear(context.Background(), prefix) }
