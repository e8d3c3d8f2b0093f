//go:build unix

package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/redistest"
)

// moved is a hash tag: keys that begin with it are in the slot that the tests
// move.
const moved = "{moved}"

// While a slot with its keys goes from one primary to another, no call fails,
// each caller reads what it has written, and each counter is exact.
func TestSlotMovesUnderLoad(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, redistest.Options{Users: []string{"default off", alice(t)}})
	p := start(t, "redis://alice:al1ce@"+c.Addrs()[0], url.Values{"prefix": {"cache:"}}, "al1ce")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	const callers = 4
	var calls [callers]atomic.Int64
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for n := int64(1); ctx.Err() == nil; n++ {
				if err := p.seen(round(t.Context(), p, caller, n)); err != nil {
					t.Errorf("round %d of caller %d: %v", n, caller, err)
					return
				}
				calls[caller].Store(n)
			}
		})
	}
	slot := c.Slot(moved)
	for move := range 6 {
		to := c.Primaries[move%len(c.Primaries)]
		if to == c.Owner(slot) {
			continue
		}
		var before [callers]int64
		for i := range calls {
			before[i] = calls[i].Load()
		}
		m, err := c.Migrate(slot, to)
		for more := true; more && err == nil; {
			more, err = m.Step(2)
			time.Sleep(time.Millisecond) // the machine is to have time for the callers
		}
		if err != nil {
			t.Fatal(err)
		}
		until(t, "each caller has worked on the slot while it moved", func() bool {
			for i := range calls {
				if calls[i].Load() < before[i]+2 && !t.Failed() {
					return false
				}
			}
			return true
		})
		if err := m.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	all.Wait()
	t.Logf("%d rounds of each caller, or so", calls[0].Load())
}

// round is a caller's nth. It has keys of its own, and one counter.
func round(ctx context.Context, p *plugin, caller int, n int64) error {
	const some = 8
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	value := []byte(strconv.FormatInt(n, 10))
	var keys []string
	var items []cache.Item
	for i := range some {
		tag := moved
		if i%4 == 3 {
			tag = "elsewhere" // in any slot
		}
		keys = append(keys, fmt.Sprintf("%s-%d-%d", tag, caller, i))
		items = append(items, cache.Item{Key: keys[i], Entry: cache.Entry{Value: value}})
	}
	if err := p.SetMany(ctx, items); err != nil {
		return fmt.Errorf("SetMany: %w", err)
	}
	found, err := p.GetMany(ctx, keys)
	if err != nil {
		return fmt.Errorf("GetMany: %w", err)
	}
	for i, l := range found {
		if !l.Found || string(l.Entry.Value) != string(value) {
			return fmt.Errorf("GetMany of %s has %q, %v, want %s", keys[i], l.Entry.Value, l.Found, value)
		}
	}
	if ok, err := p.CompareAndSwap(ctx, keys[0], value, cache.Entry{Value: []byte("swapped"), Expires: inAnHour()}); !ok || err != nil {
		return fmt.Errorf("CompareAndSwap: %v, %w", ok, err)
	}
	if e, ok, err := p.Get(ctx, keys[0]); !ok || err != nil || string(e.Value) != "swapped" {
		return fmt.Errorf("Get has %q, %v, %w", e.Value, ok, err)
	}
	if sum, _, err := p.Increment(ctx, fmt.Sprintf("%s-%d-count", moved, caller), 1, time.Time{}); sum != n || err != nil {
		return fmt.Errorf("Increment: %d, %w", sum, err)
	}
	if err := p.DeleteMany(ctx, keys[:some/2]); err != nil {
		return fmt.Errorf("DeleteMany: %w", err)
	}
	for _, key := range keys[:2] {
		if ok, err := p.SetIfAbsent(ctx, key, cache.Entry{Value: value}); !ok || err != nil {
			return fmt.Errorf("SetIfAbsent: %v, %w", ok, err)
		}
	}
	if ok, err := p.Touch(ctx, keys[1], inAnHour()); !ok || err != nil {
		return fmt.Errorf("Touch: %v, %w", ok, err)
	}
	return nil
}

// A key that is there all the time is listed, once, also when its slot goes
// elsewhere after the first keys were listed, in part or as a whole.
func TestScanWhileSlotsMove(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, redistest.Options{})
	p := start(t, "redis://"+c.Addrs()[0], nil)
	// So many and so long that the plugin waits for the consumer at the first
	// primary.
	want := fill(t, p, strings.Repeat("long", 500), 600)
	slot := c.Slot(want[0])
	for n := range 12 {
		to := c.Primaries[(slices.Index(c.Primaries, c.Owner(slot))+1)%len(c.Primaries)]
		var m *redistest.Migration
		seen := map[string]int{}
		for key, err := range p.Scan(t.Context(), "") {
			if seen[key]++; err == nil && m == nil {
				if m, err = c.Migrate(slot, to); err == nil {
					_, err = m.Step(300)
				}
				if err == nil && n%2 == 0 {
					err = m.Finish()
				}
			}
			if err != nil {
				t.Fatal(p.seen(err))
			}
		}
		if err := m.Finish(); err != nil {
			t.Fatal(err)
		}
		missed := 0
		for _, key := range want {
			if seen[key] == 0 {
				missed++
			}
		}
		for _, times := range seen {
			if times > 1 {
				t.Fatalf("a key was listed %d times", times)
			}
		}
		if missed > 0 {
			t.Fatalf("of %d keys %d were missed", len(want), missed)
		}
	}
}

// Clear removes all keys of a prefix and no other, whatever is in it.
func TestClear(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, redistest.Options{})
	p := start(t, "redis://"+c.Addrs()[0], nil)
	// To a pattern each of these would say something else.
	prefixes := []string{"a*", "a?b", "[ab]", `a\`, "a[^b]", "a"}
	var left []string
	for _, prefix := range prefixes {
		left = append(left, fill(t, p, prefix, 20)...)
	}
	for _, prefix := range prefixes {
		if err := p.seen(p.Clear(t.Context(), prefix)); err != nil {
			t.Fatal(err)
		}
		cleared := func(key string) bool { return strings.HasPrefix(key, prefix) }
		if wrong := wrong(t, p, left, cleared); wrong > 0 {
			t.Errorf("after Clear of %q, %d of %d keys are not as they should be", prefix, wrong, len(left))
		}
		left = slices.DeleteFunc(left, cleared)
	}
}

// Clear finds the keys of a slot wherever it moves.
func TestClearWhileSlotsMove(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, redistest.Options{})
	p := start(t, "redis://"+c.Addrs()[0], nil)
	others := fill(t, p, "b", 100)
	stop := keepMoving(t, c)
	for range 25 {
		keys := append(fill(t, p, "a", 200), others...)
		if err := p.seen(p.Clear(t.Context(), "a")); err != nil {
			t.Fatal(err)
		}
		cleared := func(key string) bool { return key[0] == 'a' }
		if wrong := wrong(t, p, keys, cleared); wrong > 0 {
			t.Fatalf("%d of %d keys are not as they should be", wrong, len(keys))
		}
	}
	if moves := stop(); moves < 3 {
		t.Errorf("the slot has moved %d times: nothing was tested", moves)
	}
}

// wrong counts the keys that are there though cleared, or the reverse.
func wrong(t *testing.T, p *plugin, keys []string, cleared func(key string) bool) (n int) {
	t.Helper()
	found, err := p.GetMany(t.Context(), keys)
	if err != nil {
		t.Fatal(p.seen(err))
	}
	for i, key := range keys {
		if found[i].Found == cleared(key) {
			n++
		}
	}
	return n
}

// fill sets keys that begin with prefix: n in the slot that moves, and n in
// others.
func fill(t *testing.T, p *plugin, prefix string, n int) (keys []string) {
	t.Helper()
	var items []cache.Item
	for i := range n {
		keys = append(keys, fmt.Sprintf("%s%s-%d", prefix, moved, i), fmt.Sprintf("%s-other-%d", prefix, i))
	}
	for _, key := range keys {
		items = append(items, cache.Item{Key: key, Entry: cache.Entry{Value: []byte("v")}})
	}
	if err := p.seen(p.SetMany(t.Context(), items)); err != nil {
		t.Fatal(err)
	}
	return keys
}

// keepMoving moves the slot from primary to primary, until it is told to stop.
// It then returns how often the slot has moved.
func keepMoving(t *testing.T, c *redistest.Cluster) (stop func() int) {
	t.Helper()
	slot := c.Slot(moved)
	at := slices.Index(c.Primaries, c.Owner(slot))
	var moves int
	var stopped atomic.Bool
	done := make(chan error, 1)
	go func() {
		var err error
		for ; !stopped.Load() && err == nil; moves++ {
			at = (at + 1) % len(c.Primaries)
			var m *redistest.Migration
			m, err = c.Migrate(slot, c.Primaries[at])
			for more := true; more && err == nil; {
				more, err = m.Step(20)
			}
			if err == nil {
				err = m.Finish()
			}
		}
		done <- err
	}()
	stop = sync.OnceValue(func() int {
		stopped.Store(true)
		if err := <-done; err != nil {
			t.Errorf("moving the slot: %v", err)
		}
		return moves
	})
	t.Cleanup(func() { stop() })
	return stop
}
