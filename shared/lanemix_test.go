//go:build unix

package shared

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/harpia-go/harpia/cache"
)

// mixer reads and writes in one go, and fails at it as it is told to.
type mixer struct {
	*cache.Memory
	can         bool
	read, wrote error
	mixed, sets atomic.Int32
}

func (m *mixer) Mixes() bool { return m.can }

func (m *mixer) Mix(ctx context.Context, keys []string, items []cache.Item) (found []cache.Lookup, read, wrote error) {
	m.mixed.Add(1)
	if m.read == nil {
		found, _ = m.Memory.GetMany(ctx, keys)
	}
	if m.wrote == nil {
		m.sets.Add(int32(len(items)))
		_ = m.Memory.SetMany(ctx, items)
	}
	return found, m.read, m.wrote
}

func (m *mixer) Set(ctx context.Context, key string, e cache.Entry) error {
	m.sets.Add(1)
	return m.Memory.Set(ctx, key, e)
}

func (m *mixer) SetMany(ctx context.Context, items []cache.Item) error {
	m.sets.Add(int32(len(items)))
	return m.Memory.SetMany(ctx, items)
}

// lanePlugin returns the host's end of a connection to a plugin.
func lanePlugin(t *testing.T, store cache.Store) net.Conn {
	t.Helper()
	s := newServer(store)
	if err := NewClient(dial(t, s)).Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	host, plugin := socketPair(t)
	ls := &laneServer{server: s, guard: &guard{log: newLogger(t.Output(), 0)}, conn: plugin, longest: laneSmall}
	var serving sync.WaitGroup
	serving.Go(func() { _ = ls.serve(context.Background()) })
	t.Cleanup(func() {
		_ = host.Close()
		serving.Wait()
	})
	return host
}

// Reads and writes that arrive together are one call of a store that can mix
// them. Each is answered for itself, and no write is made again.
func TestLaneMixes(t *testing.T) {
	failed := errors.New("failed")
	for _, c := range []struct {
		name        string
		can         bool
		read, wrote error
	}{
		{name: "both", can: true},
		{name: "the reads fail", can: true, read: failed},
		{name: "the writes fail", can: true, wrote: failed},
		{name: "both fail", can: true, read: failed, wrote: failed},
		{name: "it cannot at present"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &mixer{Memory: memory(t), can: c.can, read: c.read, wrote: c.wrote}
			if err := store.Memory.Set(t.Context(), "old", cache.Entry{Value: []byte("value")}); err != nil {
				t.Fatal(err)
			}
			conn := lanePlugin(t, store)
			var requests []byte
			for id, r := range []laneRequest{
				{op: laneGet, key: "old"}, {op: laneSet, key: "a", value: []byte("1")}, {op: laneGet, key: "missing"},
				{op: laneSet, key: "b", value: []byte("2")}, {op: laneDelete, key: "c"},
			} {
				r.id, r.left = uint32(id), 10_000
				requests = append(requests, flat(&r)...)
			}
			if _, err := conn.Write(requests); err != nil {
				t.Fatal(err)
			}
			answers := make([]laneAnswer, 5)
			for _, a := range answersOf(t, conn, len(answers)) {
				answers[a.id] = a
			}
			for id, a := range answers {
				fails := c.wrote != nil && (id == 1 || id == 3)
				if (a.status != codes.OK) != fails || a.flags&flagTrue != 0 != (id == 0) {
					t.Errorf("answer %d: %v, flags %b", id, a.status, a.flags)
				}
			}
			if got := string(answers[0].rest); got != "value" {
				t.Errorf("what is read is %q", got)
			}
			sets := int32(0)
			for key, want := range map[string]string{"a": "1", "b": "2"} {
				if c.wrote != nil {
					want = ""
				} else {
					sets++
				}
				if e, _, err := store.Get(t.Context(), key); string(e.Value) != want || err != nil {
					t.Errorf("%s is %q, %v", key, e.Value, err)
				}
			}
			if n := store.mixed.Load(); n > 0 != c.can {
				t.Errorf("%d calls were mixed", n)
			}
			if n := store.sets.Load(); n != sets {
				t.Errorf("%d writes were done, not %d", n, sets)
			}
		})
	}
}
