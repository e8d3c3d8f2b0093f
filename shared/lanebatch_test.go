//go:build unix

package shared

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

// halfway is a store whose batches fail when they are done.
type halfway struct {
	cache.Store
	fails bool // else they panic
	mu    sync.Mutex
	calls []string
}

var errHalfway = fmt.Errorf("%w: halfway", cache.ErrUnavailable)

func (h *halfway) called(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, name)
}

func (h *halfway) fail(name string) error {
	h.called(name)
	if !h.fails {
		panic(name)
	}
	return errHalfway
}

func (h *halfway) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	h.called("Get")
	return cache.Entry{}, false, nil
}

func (h *halfway) Set(context.Context, string, cache.Entry) error { h.called("Set"); return nil }
func (h *halfway) Delete(context.Context, string) error           { h.called("Delete"); return nil }

func (h *halfway) GetMany(context.Context, []string) ([]cache.Lookup, error) {
	return nil, h.fail("GetMany")
}
func (h *halfway) SetMany(context.Context, []cache.Item) error { return h.fail("SetMany") }
func (h *halfway) DeleteMany(context.Context, []string) error  { return h.fail("DeleteMany") }

// Reads that fail together are made one by one. Writes that the store was given
// are not: some may be done, and written over by others since.
func TestBatchesOfTheLaneThatFail(t *testing.T) {
	for _, fails := range []bool{true, false} {
		for _, c := range []struct {
			op    laneOp
			key   string // of the second request
			calls []string
			err   bool
		}{
			{laneGet, "b", []string{"Get", "Get", "GetMany"}, false},
			{laneSet, "b", []string{"SetMany"}, true},
			{laneDelete, "b", []string{"DeleteMany"}, true},
			{laneSet, "", []string{"Set"}, false}, // the other was not given
		} {
			host, plugin := socketPair(t)
			defer host.Close()
			defer plugin.Close()
			h := &halfway{Store: memory(t), fails: fails}
			s := &laneServer{server: newServer(h), guard: &guard{log: newLogger(t.Output(), 0)}, calls: newPlaces(), longest: laneSmall, conn: plugin}
			s.configured.Store(ready)
			s.out = outbox{conn: plugin, broken: func(error) {}}
			s.startAll(t.Context(), []laneRequest{{id: 1, op: c.op, key: "a"}, {id: 2, op: c.op, key: c.key}})
			s.ended.Wait()
			slices.Sort(h.calls)
			if !slices.Equal(h.calls, c.calls) {
				t.Errorf("%s: the store was called: %v, want %v", laneNames[c.op], h.calls, c.calls)
			}
			for _, a := range answersOf(t, host, 2) {
				if failed := a.status != 0; failed != c.err && c.key != "" {
					t.Errorf("%s: answer %d has status %v: %s", laneNames[c.op], a.id, a.status, a.rest)
				}
			}
		}
	}
}
