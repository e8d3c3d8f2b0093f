package cache_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/storetest"
)

// newNear returns a Near that is closed at the end of the test.
func newNear(tb testing.TB, store cache.Store, o cache.NearOptions) *cache.Near {
	tb.Helper()
	n, err := cache.NewNear(store, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { n.Close() })
	return n
}

// exclusiveHost is the only host of a remote.
func exclusiveHost() *remoteHost {
	h := newRemote(1).hosts[0]
	h.exclusive = true
	return h
}

// wantNear checks that key holds value, or nothing if value is empty, and how
// often the store was asked for it.
func wantNear(tb testing.TB, n *cache.Near, h *remoteHost, key, value string, asked int64) {
	tb.Helper()
	before := h.calls.Load()
	e, ok, err := n.Get(context.Background(), key)
	if err != nil || ok != (value != "") || string(e.Value) != value {
		tb.Errorf("Get(%q) = %q, %v, %v; want %q", key, e.Value, ok, err, value)
	}
	if calls := h.calls.Load() - before; calls != asked {
		tb.Errorf("Get(%q) asked the store %d times, want %d", key, calls, asked)
	}
}

func nearSet(tb testing.TB, s cache.Store, key, value string) {
	tb.Helper()
	if err := s.Set(context.Background(), key, cache.Entry{Value: []byte(value)}); err != nil {
		tb.Fatalf("Set(%q): %v", key, err)
	}
}

// plain has three methods.
type plain struct{ cache.Store }

type exclusivePlain struct{ plain }

func (exclusivePlain) Exclusive() bool { return true }

func TestNearConforms(t *testing.T) {
	all := cache.CanBatch | cache.CanAdd | cache.CanSwap | cache.CanCount | cache.CanTouch | cache.CanScan | cache.CanClear
	memory := func(t *testing.T) cache.Store { return newMemory(t, cache.MemoryOptions{MaxBytes: 256 << 20}) }
	tests := []struct {
		name string
		want cache.Capability
		o    cache.NearOptions
		open func(t *testing.T) cache.Store
	}{
		{"over memory", all, cache.NearOptions{MaxBytes: 256 << 20}, memory},
		{"with a MaxTTL", all, cache.NearOptions{MaxTTL: time.Hour}, memory},
		{"with few copies", all, cache.NearOptions{MaxEntries: 2}, memory},
		{"over three methods", 0, cache.NearOptions{}, func(t *testing.T) cache.Store { return exclusivePlain{plain{memory(t)}} }},
		{"over a watched store", all | cache.CanWatch | cache.CanFlush, cache.NearOptions{}, func(*testing.T) cache.Store { return newRemote(1).hosts[0] }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			storetest.RunWant(t, test.want, func(t *testing.T) cache.Store { return newNear(t, test.open(t), test.o) })
		})
	}
}

func TestNearRefuses(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{})
	for _, test := range []struct {
		store cache.Store
		o     cache.NearOptions
		says  string
	}{
		{nil, cache.NearOptions{}, "no store"},
		{plain{m}, cache.NearOptions{}, "no Watch"},
		{struct{ *remoteHost }{&remoteHost{}}, cache.NearOptions{MaxBytes: -1}, "MaxBytes"},
		{m, cache.NearOptions{MaxEntries: -1}, "MaxEntries"},
		{m, cache.NearOptions{MaxTTL: -1}, "MaxTTL"},
	} {
		if _, err := cache.NewNear(test.store, test.o); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("NewNear over %T with %+v: %v; want an error that says %q", test.store, test.o, err, test.says)
		}
	}
}

func TestNearCopiesWhatIsReadAndWritten(t *testing.T) {
	h := exclusiveHost()
	nearSet(t, h, "read", "1")
	n := newNear(t, h, cache.NearOptions{})
	wantNear(t, n, h, "read", "1", 1)
	wantNear(t, n, h, "read", "1", 0)
	nearSet(t, n, "written", "2")
	wantNear(t, n, h, "written", "2", 0)
	wantNear(t, n, h, "missing", "", 1)
	wantNear(t, n, h, "missing", "", 1)
	if got := n.Stats().Entries; got != 2 {
		t.Errorf("there are %d copies", got)
	}
}

func TestNearBatchesAskForTheRest(t *testing.T) {
	ctx := t.Context()
	h := exclusiveHost()
	n := newNear(t, h, cache.NearOptions{})
	if err := n.SetMany(ctx, []cache.Item{
		{Key: "a", Entry: cache.Entry{Value: []byte("1")}},
		{Key: "twice", Entry: cache.Entry{Value: []byte("1")}},
		{Key: "twice", Entry: cache.Entry{Value: []byte("2")}},
	}); err != nil {
		t.Fatal(err)
	}
	nearSet(t, h, "b", "3")
	keys := []string{"missing", "a", "twice", "b", "a", "b"}
	values := []string{"", "1", "2", "3", "1", "3"}
	for _, asked := range []int64{4, 1} { // the second time for what is missing
		before := h.calls.Load()
		found, err := n.GetMany(ctx, keys)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range found {
			if string(l.Entry.Value) != values[i] || l.Found != (values[i] != "") {
				t.Errorf("%s: %+v, want %q", keys[i], l, values[i])
			}
		}
		if calls := h.calls.Load() - before; calls != asked {
			t.Errorf("GetMany asked for %d keys, want %d", calls, asked)
		}
	}
	if err := n.DeleteMany(ctx, keys); err != nil {
		t.Fatal(err)
	}
	wantNear(t, n, h, "a", "", 1)
}

// Whatever becomes of a write that fails, it was not the last word.
func TestNearDropsTheCopyOfAFailedWrite(t *testing.T) {
	ctx := t.Context()
	e := cache.Entry{Value: []byte("2")}
	writes := map[string]func(n *cache.Near) error{
		"Set":              func(n *cache.Near) error { return n.Set(ctx, "k", e) },
		"Delete":           func(n *cache.Near) error { return n.Delete(ctx, "k") },
		"SetMany":          func(n *cache.Near) error { return n.SetMany(ctx, []cache.Item{{Key: "k", Entry: e}}) },
		"DeleteMany":       func(n *cache.Near) error { return n.DeleteMany(ctx, []string{"k"}) },
		"CompareAndSwap":   func(n *cache.Near) error { _, err := n.CompareAndSwap(ctx, "k", []byte("1"), e); return err },
		"CompareAndDelete": func(n *cache.Near) error { _, err := n.CompareAndDelete(ctx, "k", []byte("1")); return err },
		"Increment":        func(n *cache.Near) error { _, _, err := n.Increment(ctx, "k", 1, time.Time{}); return err },
		"Touch":            func(n *cache.Near) error { _, err := n.Touch(ctx, "k", time.UnixMilli(1)); return err },
		"Clear":            func(n *cache.Near) error { return n.Clear(ctx, "k") },
	}
	after := map[string]string{"Set": "2", "SetMany": "2", "CompareAndSwap": "2", "Increment": "2"}
	for name, write := range writes {
		for _, what := range []fault{done, notDone} {
			h := exclusiveHost()
			n := newNear(t, h, cache.NearOptions{})
			nearSet(t, n, "k", "1")
			h.fault = func() fault { return what }
			if err := write(n); !errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
			h.fault = nil
			want := "1"
			if what == done {
				want = after[name]
			}
			wantNear(t, n, h, "k", want, 1)
		}
	}
}

// Who failed to swap what a copy showed is shown what is there.
func TestNearDropsTheCopyThatASwapRefutes(t *testing.T) {
	ctx := t.Context()
	h := exclusiveHost()
	n := newNear(t, h, cache.NearOptions{})
	for _, swap := range []func() (bool, error){
		func() (bool, error) { return n.CompareAndSwap(ctx, "k", []byte("1"), cache.Entry{}) },
		func() (bool, error) { return n.CompareAndDelete(ctx, "k", []byte("1")) },
		func() (bool, error) { return n.SetIfAbsent(ctx, "k", cache.Entry{}) },
	} {
		nearSet(t, n, "k", "1")
		nearSet(t, h, "k", "2") // which nobody may do
		if ok, err := swap(); ok || err != nil {
			t.Fatalf("the swap says %v, %v", ok, err)
		}
		wantNear(t, n, h, "k", "2", 1)
	}
}

func TestNearTooLargeToCopy(t *testing.T) {
	h := exclusiveHost()
	for _, o := range []cache.NearOptions{{MaxBytes: 1000}, {MaxBytes: 1000, MaxTTL: time.Hour}} {
		n := newNear(t, h, o)
		nearSet(t, n, "k", "small")
		wantNear(t, n, h, "k", "small", 0)
		large := strings.Repeat("x", 1001)
		nearSet(t, n, "k", large)
		wantNear(t, n, h, "k", large, 1)
		wantNear(t, n, h, "k", large, 1)
	}
}

func TestNearExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := exclusiveHost()
		n := newNear(t, h, cache.NearOptions{})
		for _, write := range []cache.Store{n, h} { // copied when written, and when read
			e := cache.Entry{Value: []byte("1"), Expires: time.Now().Add(time.Minute)}
			if err := write.Set(t.Context(), "k", e); err != nil {
				t.Fatal(err)
			}
			wantNear(t, n, h, "k", "1", int64(map[cache.Store]int{h: 1}[write]))
			time.Sleep(time.Minute - time.Millisecond)
			wantNear(t, n, h, "k", "1", 0)
			time.Sleep(time.Millisecond)
			wantNear(t, n, h, "k", "", 1)
		}
		nearSet(t, n, "k", "1")
		if _, err := n.Touch(t.Context(), "k", time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		wantNear(t, n, h, "k", "1", 1)
		time.Sleep(time.Second)
		wantNear(t, n, h, "k", "", 1)
		n.Close()
	})
}

// A copy is used for MaxTTL, and never shows another expiry than the entry's.
func TestNearMaxTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := exclusiveHost()
		n := newNear(t, h, cache.NearOptions{MaxTTL: time.Minute})
		for _, life := range []time.Duration{0, time.Hour, time.Second} {
			expires := cache.Deadline(time.Now(), life)
			want := cache.Entry{Value: []byte("value"), Expires: expires}
			if err := h.Set(t.Context(), "k", want); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				e, ok, err := n.Get(t.Context(), "k")
				if err != nil || !ok || string(e.Value) != "value" || !e.Expires.Equal(expires) {
					t.Errorf("Get = %q until %v, %v, %v; want it until %v", e.Value, e.Expires, ok, err, expires)
				}
				found, err := n.GetMany(t.Context(), []string{"k"})
				if err != nil || string(found[0].Entry.Value) != "value" || !found[0].Entry.Expires.Equal(expires) {
					t.Errorf("GetMany = %v, %v", found, err)
				}
			}
			wantNear(t, n, h, "k", "value", 0)
			time.Sleep(time.Minute)
			if expires.IsZero() || expires.After(time.Now()) {
				wantNear(t, n, h, "k", "value", 1)
			} else {
				wantNear(t, n, h, "k", "", 1)
			}
			if err := n.Delete(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
		}
		n.Close()
	})
}

func TestNearFollowsOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		hosts := newRemote(2).hosts
		h, other := hosts[0], hosts[1]
		n := newNear(t, h, cache.NearOptions{})
		synctest.Wait()
		changes := []struct {
			change func() error
			want   string
		}{
			{func() error { return other.Set(ctx, "k", cache.Entry{Value: []byte("set")}) }, "set"},
			{func() error { return other.Delete(ctx, "k") }, ""},
			{func() error { _, err := other.Touch(ctx, "k", time.UnixMilli(1)); return err }, ""},
			{func() error { return other.Clear(ctx, "") }, ""},
		}
		for _, c := range changes {
			nearSet(t, n, "k", "1")
			wantNear(t, n, h, "k", "1", 0)
			if err := c.change(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // it has been told
			wantNear(t, n, h, "k", c.want, 1)
		}
		n.Close()
	})
}

// Who cannot be told of changes copies nothing, until it can.
func TestNearWithoutAWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := newRemote(2).hosts
		h, other := hosts[0], hosts[1]
		h.refuse(errWatchLost)
		n := newNear(t, h, cache.NearOptions{})
		nearSet(t, n, "k", "1")
		wantNear(t, n, h, "k", "1", 1)
		wantNear(t, n, h, "k", "1", 1)
		h.refuse(nil)
		time.Sleep(time.Minute)
		wantNear(t, n, h, "k", "1", 1)
		wantNear(t, n, h, "k", "1", 0)

		h.lose()
		nearSet(t, other, "k", "2") // which n is not told
		synctest.Wait()
		wantNear(t, n, h, "k", "2", 1)
		wantNear(t, n, h, "k", "2", 1)
		nearSet(t, n, "k", "3")
		wantNear(t, n, h, "k", "3", 1)
		nearSet(t, other, "k", "4")
		time.Sleep(time.Minute) // the watch is back
		wantNear(t, n, h, "k", "4", 1)
		wantNear(t, n, h, "k", "4", 0)
		n.Close()
	})
}

// parked is a remote host whose answers to Get wait to be let go, in any order.
type parked struct {
	*remoteHost
	mu      sync.Mutex
	answers []chan struct{}
}

func (p *parked) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	e, ok, err := p.remoteHost.Get(ctx, key)
	answer := make(chan struct{})
	p.mu.Lock()
	p.answers = append(p.answers, answer)
	p.mu.Unlock()
	<-answer
	return e, ok, err
}

// letGo lets the answer number i go, and waits for what follows.
func (p *parked) letGo(i int) {
	p.mu.Lock()
	close(p.answers[i])
	p.mu.Unlock()
	synctest.Wait()
}

// Of two answers that come in the wrong order the older is not kept: somebody
// has seen the newer.
func TestNearAnswersOutOfOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		synctest.Test(t, func(t *testing.T) {
			hosts := newRemote(2).hosts
			p := &parked{remoteHost: hosts[0]}
			n := newNear(t, p, cache.NearOptions{})
			synctest.Wait()
			read := func() { go func() { _, _, _ = n.Get(context.Background(), "k") }(); synctest.Wait() }
			nearSet(t, hosts[1], "k", "older")
			synctest.Wait()
			hosts[1].remote.hosts = nil // nobody is told any more, in time
			read()
			nearSet(t, hosts[1], "k", "newer")
			read()
			for _, i := range order {
				p.letGo(i)
			}
			var e cache.Entry
			go func() { e, _, _ = n.Get(context.Background(), "k") }()
			synctest.Wait()
			if len(p.answers) == 3 {
				p.letGo(2)
			}
			if string(e.Value) != "newer" {
				t.Errorf("after both were seen, k holds %q", e.Value)
			}
			n.Close()
		})
	}
}

// A key that many read all the time is copied all the same, also when some of
// them have begun before it was written.
func TestNearCopiesWhatManyRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const readers, reads = 32, 100
		h := exclusiveHost()
		n := newNear(t, h, cache.NearOptions{})
		nearSet(t, h, "k", "1")
		h.pause = func() { time.Sleep(20 * time.Millisecond) }
		var wg sync.WaitGroup
		for i := range readers {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				for range reads {
					wantNearAny(t, n, "k")
					time.Sleep(time.Millisecond)
				}
			})
		}
		time.Sleep(45 * time.Millisecond) // some reads have made a copy, others are under way
		nearSet(t, n, "k", "2")
		wg.Wait()
		if calls := h.calls.Load(); calls > 5*readers {
			t.Errorf("%d reads asked the store %d times", readers*reads, calls)
		}
		n.Close()
	})
}

func wantNearAny(t *testing.T, n *cache.Near, key string) {
	t.Helper()
	if _, ok, err := n.Get(context.Background(), key); !ok || err != nil {
		t.Errorf("Get(%q): %v, %v", key, ok, err)
	}
}

func TestNearClose(t *testing.T) {
	ctx := t.Context()
	h := newRemote(1).hosts[0]
	n := newNear(t, h, cache.NearOptions{})
	nearSet(t, n, "k", "1")
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	_, _, get := n.Get(ctx, "k")
	_, add := n.SetIfAbsent(ctx, "k", cache.Entry{})
	_, many := n.GetMany(ctx, []string{"k"})
	for _, err := range []error{get, add, many, n.Set(ctx, "k", cache.Entry{}), n.Delete(ctx, "k"), n.Clear(ctx, ""), n.Flush(ctx)} {
		if !errors.Is(err, cache.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	if e, ok, err := h.Get(ctx, "k"); err != nil || !ok || string(e.Value) != "1" {
		t.Errorf("the store has %q, %v, %v", e.Value, ok, err)
	}
}

func TestNearHitAllocatesNothing(t *testing.T) {
	ctx := t.Context()
	for _, o := range []cache.NearOptions{{}, {MaxTTL: time.Hour}} {
		n := newNear(t, exclusiveHost(), o)
		nearSet(t, n, "k", "1")
		if allocs := testing.AllocsPerRun(1000, func() { _, _, _ = n.Get(ctx, "k") }); allocs != 0 {
			t.Errorf("a hit allocates %v times", allocs)
		}
	}
}

// bridged is a store in whose place something else serves.
type bridged struct {
	*remoteHost
	filled uint64
}

func (*bridged) Outage() uint64 { return 7 }

func (b *bridged) Itself() cache.Store { return b }

func (b *bridged) Fill(ctx context.Context, outage uint64, key string, e cache.Entry) (bool, error) {
	b.filled = outage
	return b.remoteHost.SetIfAbsent(ctx, key, e)
}

// GetOrLoad keeps what it loaded during an outage, through a Near as well.
func TestNearLetsGetOrLoadFill(t *testing.T) {
	b := &bridged{remoteHost: exclusiveHost()}
	n := newNear(t, b, cache.NearOptions{})
	c, err := cache.New[string](cache.Options{Store: n})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	v, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (string, error) { return "loaded", nil })
	if err != nil || v != "loaded" || b.filled != 7 {
		t.Errorf("GetOrLoad = %q, %v; it filled outage %d", v, err, b.filled)
	}
	wantNear(t, n, b.remoteHost, "k", "loaded", 0)
}
