package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
)

// A walk over a cluster passes over each primary as over a single server. A key
// of a slot that moves meanwhile may be missed by that: it leaves a node before
// its turn comes, and arrives at another one after it. So the topology is
// looked at before and after, and the slots whose keys may have moved are read
// again, each at once, until nothing moves while they are.

const (
	// wholeCluster is how long every slot may be without a node that serves it,
	// before that is an error.
	wholeCluster = 5 * time.Second
	lookAgain    = 50 * time.Millisecond

	slotsAtOnce = 64
	keysOfSlot  = 1 << 10
)

func (w *walk) cluster(ctx context.Context) error {
	before, err := w.look(ctx)
	if err != nil {
		return err
	}
	for _, node := range before.nodes {
		if more, err := w.server(ctx, node); err != nil || !more {
			return err
		}
	}
	after, err := w.look(ctx)
	if err != nil {
		return err
	}
	var again []int
	for slot := range slotCount {
		if len(before.moves[slot])+len(after.moves[slot]) > 0 || !before.same(after, slot) {
			again = append(again, slot)
		}
	}
	for len(again) > 0 {
		before = after
		for some := range slices.Chunk(again, slotsAtOnce) {
			if more, err := w.slots(ctx, before, some); err != nil || !more {
				return err
			}
		}
		if after, err = w.look(ctx); err != nil {
			return err
		}
		again = slices.DeleteFunc(again, func(slot int) bool { return before.same(after, slot) })
	}
	return nil
}

// look waits until every slot has a node.
func (w *walk) look(ctx context.Context) (t *topology, err error) {
	for until := time.Now().Add(wholeCluster); ; {
		err := w.step(ctx, func(ctx context.Context) error {
			t = look(ctx, w.session.client)
			return ctx.Err()
		})
		if err != nil || t.complete {
			return t, err
		}
		if time.Now().After(until) {
			return nil, fmt.Errorf("%w: redis: %s", cache.ErrUnavailable, answers["CLUSTERDOWN"].text)
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// slots passes over the keys of slots: at the node that owns each, and after
// that at those that its keys are being moved to.
func (w *walk) slots(ctx context.Context, t *topology, some []int) (more bool, err error) {
	for _, targets := range []bool{false, true} {
		at := make(map[string][]int)
		for _, slot := range some {
			nodes := []string{t.owner[slot]}
			if targets {
				nodes = t.moves[slot]
			}
			for _, node := range nodes {
				if t.nodes[node] != nil {
					at[node] = append(at[node], slot)
				}
			}
		}
		for node, some := range at {
			if more, err := w.slotsOf(ctx, t.nodes[node], some); err != nil || !more {
				return more, err
			}
		}
	}
	return true, nil
}

// slotsOf passes over the keys that one node has of slots.
func (w *walk) slotsOf(ctx context.Context, node rueidis.Client, some []int) (more bool, err error) {
	for most := int64(keysOfSlot); len(some) > 0; most *= 8 {
		var found, strings []string
		var larger []int
		err := w.step(ctx, func(ctx context.Context) error {
			commands := make(rueidis.Commands, len(some))
			for i, slot := range some {
				commands[i] = node.B().ClusterGetkeysinslot().Slot(int64(slot)).Count(most).Build()
			}
			for i, answer := range node.DoMulti(ctx, commands...) {
				keys, err := answer.AsStrSlice()
				if err != nil {
					return err
				}
				if int64(len(keys)) == most {
					larger = append(larger, some[i])
				} else {
					found = append(found, keys...)
				}
			}
			return nil
		})
		for keys := range slices.Chunk(w.ours(found), mostKeys) {
			if err == nil {
				strings, err = w.stringsAmong(ctx, keys)
			}
			if err != nil {
				return false, err
			}
			if !w.yield(strings) {
				return false, nil
			}
		}
		if err != nil {
			return false, err
		}
		some = larger
	}
	return true, nil
}

func (w *walk) ours(keys []string) []string {
	return slices.DeleteFunc(keys, func(key string) bool { return !strings.HasPrefix(key, w.prefix) })
}

// stringsAmong returns the keys that hold strings.
func (w *walk) stringsAmong(ctx context.Context, keys []string) (found []string, err error) {
	err = w.step(ctx, func(ctx context.Context) error {
		commands := make(rueidis.Commands, len(keys))
		for i, key := range keys {
			commands[i] = w.session.client.B().Type().Key(key).Build()
		}
		for i, answer := range w.session.client.DoMulti(ctx, commands...) {
			kind, err := answer.ToString()
			if err != nil {
				return err
			}
			if kind == "string" {
				found = append(found, keys[i])
			}
		}
		return nil
	})
	return found, err
}
