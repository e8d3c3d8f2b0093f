package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
)

// lookEvery is how often a watch of a cluster looks whether other nodes serve.
const lookEvery = time.Second

var errLost = fmt.Errorf("%w: redis: the connection that changes were told over is gone: some may have been missed", cache.ErrUnavailable)

// Watch implements cache.Watcher, with what servers tell clients that keep
// copies (CLIENT TRACKING), of all keys with the prefix (BCAST). They leave out
// what came over the same connection (NOLOOP), except what a script changed,
// since Redis takes that for the change of nobody: CompareAndSwap,
// CompareAndDelete, Increment and Touch are told to their own host too. That
// costs a copy in its near cache, and nothing else.
//
// Each connection is told what its server changes. So a watch ends when one is
// lost, or when one is opened: what is read over that is not yet watched. When
// a replica in a cluster takes over from a primary that lives on, a watch tells
// that all has changed, but up to a second late.
func (s *Store) Watch(ctx context.Context) iter.Seq2[cache.Change, error] {
	return func(yield func(cache.Change, error) bool) {
		var on *session
		var w *watcher
		err := s.do(ctx, "", 0, func(ctx context.Context, to *session) (err error) {
			on = to
			w, err = to.watch(ctx, s.prefix)
			return err
		})
		if err == nil {
			defer on.unwatch(w, s.timeout)
			err = s.tell(ctx, on, w, yield)
		}
		if err != nil {
			yield(cache.Change{}, err)
		}
	}
}

// tell yields what w is told. A nil error means that the consumer has enough.
func (s *Store) tell(ctx context.Context, on *session, w *watcher, yield func(cache.Change, error) bool) error {
	if !yield(cache.Change{All: true}, nil) {
		return nil
	}
	var looks <-chan time.Time
	if on.mode == cluster {
		t := time.NewTicker(lookEvery)
		defer t.Stop()
		looks = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-looks:
			if err := s.do(ctx, "", 0, func(ctx context.Context, _ *session) error { return w.lookAgain(ctx, on) }); err != nil {
				return err
			}
		case <-w.wake:
		}
		keys, all, err := w.take()
		if all && !yield(cache.Change{All: true}, nil) {
			return nil
		}
		for _, key := range keys {
			if !yield(cache.Change{Key: key}, nil) {
				return nil
			}
		}
		if err != nil {
			if s.link.Load().isClosed() {
				return errClosed()
			}
			return err
		}
	}
}

// watch has the servers tell of changes, and the session pass them on.
func (s *session) watch(ctx context.Context, prefix string) (*watcher, error) {
	if !s.resp3 {
		return nil, fmt.Errorf("redis: the server does not speak RESP3, over which changes are told: %w", errors.ErrUnsupported)
	}
	s.tracking.Lock()
	defer s.tracking.Unlock()
	w := newWatcher(prefix)
	nodes := s.client.Nodes()
	if s.mode == cluster {
		// This also connects to all of them, replicas too.
		if w.seen = look(ctx, s.client); !w.seen.complete {
			return nil, fmt.Errorf("%w: redis: %s", cache.ErrUnavailable, answers["CLUSTERDOWN"].text)
		}
		nodes = w.seen.nodes
	}
	if s.hub.add(w) > 1 {
		return w, nil // they tell already
	}
	for _, node := range nodes {
		if err := track(ctx, node, prefix); err != nil {
			s.hub.remove(w)
			return nil, err
		}
	}
	return w, nil
}

// unwatch undoes watch.
func (s *session) unwatch(w *watcher, most time.Duration) {
	s.tracking.Lock()
	defer s.tracking.Unlock()
	if s.hub.remove(w) > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	nodes := s.client.Nodes()
	if w.seen != nil {
		nodes = w.seen.nodes
	}
	for _, node := range nodes {
		// One that cannot be reached tells nothing either.
		node.Do(ctx, trackingOff(node))
	}
}

// track has a server tell of changes over the connection that carries the
// calls.
func track(ctx context.Context, node rueidis.Client, prefix string) error {
	on := node.B().Arbitrary("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP")
	if prefix != "" {
		on = on.Args("PREFIX", prefix)
	}
	// It may be on for a watch that has ended.
	err := node.DoMulti(ctx, trackingOff(node), on.Build())[1].Error()
	if redis, ok := rueidis.IsRedisErr(err); ok {
		if text, known := meaning(redis); !known {
			return fmt.Errorf("redis: the server does not tell of changes (%s): %w", text, errors.ErrUnsupported)
		}
	}
	return err
}

func trackingOff(node rueidis.Client) rueidis.Completed {
	return node.B().Arbitrary("CLIENT", "TRACKING", "OFF").Build()
}

// lookAgain looks whether other nodes serve than when the watch began. Among
// those that tell of changes slots may move: that may have told nothing.
func (w *watcher) lookAgain(ctx context.Context, on *session) error {
	now := look(ctx, on.client)
	switch {
	case !now.complete || w.seen.equal(now):
		return nil
	case !now.sameNodes(w.seen):
		return fmt.Errorf("%w: redis: other nodes of the cluster serve now: changes may have been missed", cache.ErrUnavailable)
	}
	w.seen = now
	w.tell(nil)
	return nil
}
