package cache_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/harpia-go/harpia/cache"
)

// nearInput is a call through a Near, for one of its keys.
type nearInput struct {
	host int
	key  string
	kind string
	arg  int64 // what is written, or added
	old  int64
}

// nearOutput is its answer. Numbers stand for values, 0 for none.
type nearOutput struct {
	value   int64
	ok      bool
	unknown bool
	change  int64 // which change of the remote it was or read; 0: none
}

// nearHistory is what callers saw.
type nearHistory struct {
	clock atomic.Int64
	mu    sync.Mutex
	ops   []porcupine.Operation
}

// record adds a call that began at began and has just returned. One of unknown
// outcome never returns.
func (h *nearHistory) record(client int, in nearInput, out nearOutput, began int64) {
	returned := h.clock.Add(1)
	if out.unknown {
		if in.kind == "get" {
			return
		}
		returned = 1 << 60
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: began, Return: returned})
}

// check fails the test unless model explains the history of each key of each
// host.
func (h *nearHistory) check(t *testing.T, seed uint64, step func(state any, in nearInput, out nearOutput) (bool, any)) {
	t.Helper()
	keys := map[string][]porcupine.Operation{}
	for _, op := range h.ops {
		in := op.Input.(nearInput)
		of := fmt.Sprint(in.host, in.key)
		keys[of] = append(keys[of], op)
	}
	for of, ops := range keys {
		model := porcupine.Model{
			Init: func() any { return int64(0) },
			Step: func(state, in, out any) (bool, any) { return step(state, in.(nearInput), out.(nearOutput)) },
		}
		switch porcupine.CheckOperationsTimeout(model, ops, 20*time.Second) {
		case porcupine.Illegal:
			for _, op := range ops {
				t.Logf("%3d %d–%d %+v %+v", op.ClientId, op.Call, op.Return, op.Input, op.Output)
			}
			t.Fatalf("seed %d: what callers saw of key %s has no explanation", seed, of)
		case porcupine.Unknown:
			t.Fatalf("seed %d: the history of key %s takes too long to check", seed, of)
		}
	}
}

// oneHostStep is a key of a store that one host uses: each call sees all that
// returned before it began. The state is the value.
func oneHostStep(state any, in nearInput, out nearOutput) (bool, any) {
	now := state.(int64)
	switch in.kind {
	case "get":
		return out.value == now, now
	case "set":
		return true, in.arg
	case "delete":
		return true, int64(0)
	case "add":
		if out.unknown || out.ok == (now == 0) {
			if now == 0 {
				now = in.arg
			}
			return true, now
		}
	case "swap":
		if out.unknown || out.ok == (now != 0 && now == in.old) {
			if now == in.old && now != 0 {
				now = in.arg
			}
			return true, now
		}
	case "increment":
		return out.unknown || out.value == now+in.arg, now + in.arg
	case "touch":
		return out.unknown || out.ok == (now != 0), now
	}
	return false, now
}

// manyHostsStep is a key of a store that others change: nobody on this host
// sees an older change than one that a call before has seen or made. The state
// is the latest such change. A read that finds nothing tells nothing.
func manyHostsStep(state any, in nearInput, out nearOutput) (bool, any) {
	least := state.(int64)
	if out.unknown || out.change == 0 {
		return true, state
	}
	return in.kind != "get" || out.change >= least, max(least, out.change)
}

// nearCaller makes random calls through a Near and records them.
type nearCaller struct {
	history *nearHistory
	host    int
	client  int
	near    *cache.Near
	rand    *rand.Rand
	keys    []string
	last    map[string]int64 // that was read
}

func (c *nearCaller) number() int64 { return 1 + c.rand.Int64N(1<<40) }

func nearEntry(n int64) cache.Entry { return cache.Entry{Value: strconv.AppendInt(nil, n, 10)} }

func nearNumber(e cache.Entry, ok bool) int64 {
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(string(e.Value), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// call makes one call.
func (c *nearCaller) call() {
	var change int64
	ctx := context.WithValue(context.Background(), at{}, &change)
	in := nearInput{host: c.host, key: c.keys[c.rand.IntN(len(c.keys))], arg: c.number()}
	began := c.history.clock.Add(1)
	var out nearOutput
	var err error
	switch c.rand.IntN(26) {
	case 0, 1:
		in.kind = "set"
		err = c.near.Set(ctx, in.key, nearEntry(in.arg))
	case 2:
		in.kind = "delete"
		err = c.near.Delete(ctx, in.key)
	case 3:
		in.kind = "add"
		out.ok, err = c.near.SetIfAbsent(ctx, in.key, nearEntry(in.arg))
	case 4:
		in.kind, in.old = "swap", c.last[in.key]
		out.ok, err = c.near.CompareAndSwap(ctx, in.key, nearEntry(in.old).Value, nearEntry(in.arg))
	case 5:
		in.kind = "increment"
		out.value, _, err = c.near.Increment(ctx, in.key, in.arg, time.Time{})
	case 6:
		in.kind = "touch"
		out.ok, err = c.near.Touch(ctx, in.key, time.Time{})
	case 7:
		in.kind, in.arg, in.old = "swap", 0, c.last[in.key]
		out.ok, err = c.near.CompareAndDelete(ctx, in.key, nearEntry(in.old).Value)
	case 8:
		c.batch(ctx, &change)
		return
	default:
		in.kind = "get"
		var e cache.Entry
		e, out.ok, err = c.near.Get(ctx, in.key)
		out.value = nearNumber(e, out.ok)
		c.last[in.key] = out.value
	}
	if out.unknown = err != nil; !out.unknown {
		out.change = change
	}
	c.history.record(c.client, in, out, began)
}

// batch makes one call for all keys.
func (c *nearCaller) batch(ctx context.Context, change *int64) {
	kinds := []string{"get", "set", "delete", "delete"}
	what := c.rand.IntN(len(kinds))
	began := c.history.clock.Add(1)
	var err error
	var found []cache.Lookup
	items := make([]cache.Item, len(c.keys))
	for i, key := range c.keys {
		items[i] = cache.Item{Key: key, Entry: nearEntry(c.number())}
	}
	switch what {
	case 0:
		found, err = c.near.GetMany(ctx, c.keys)
	case 1:
		err = c.near.SetMany(ctx, items)
	case 2:
		err = c.near.DeleteMany(ctx, c.keys)
	case 3:
		err = c.near.Clear(ctx, c.keys[0][:1])
	}
	for i, key := range c.keys {
		in := nearInput{host: c.host, key: key, kind: kinds[what]}
		out := nearOutput{unknown: err != nil}
		switch {
		case what == 0 && err == nil:
			out.value = nearNumber(found[i].Entry, found[i].Found)
		case what == 1:
			in.arg = nearNumber(items[i].Entry, true)
		case what == 3 && err == nil:
			out.change = *change
		}
		c.history.record(c.client, in, out, began)
	}
}

// nearRun is many callers through the Nears of some hosts on one remote.
type nearRun struct {
	seed    uint64
	hosts   int
	callers int // of each host
	calls   int // of each caller
	// pause is a pause of the remote's.
	pause func()
	// faulty in a thousand calls fail, each time in another way, in the first
	// half.
	faulty int
	// losing of a thousand calls are followed by the loss of the host's watch.
	losing int
	o      cache.NearOptions
}

func (run nearRun) do(t *testing.T) (*nearHistory, *remote) {
	t.Helper()
	r, h := newRemote(run.hosts), &nearHistory{}
	keys := []string{"k1", "k2", "k3"}
	var callers sync.WaitGroup
	var calls atomic.Int64
	for i, host := range r.hosts {
		host.exclusive = run.hosts == 1
		host.pause = run.pause
		host.fault = func() fault {
			if rand.IntN(1000) >= run.faulty || calls.Load() > int64(run.hosts*run.callers*run.calls/2) {
				return succeed
			}
			return fault(1 + rand.IntN(3))
		}
		near, err := cache.NewNear(host, run.o)
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		for j := range run.callers {
			c := &nearCaller{
				history: h, host: i, client: i*run.callers + j, near: near, keys: keys, last: map[string]int64{},
				rand: rand.New(rand.NewPCG(run.seed, uint64(i*run.callers+j))),
			}
			callers.Go(func() {
				for range run.calls {
					c.call()
					calls.Add(1)
					if c.rand.IntN(1000) < run.losing {
						host.lose()
					}
				}
			})
		}
	}
	callers.Wait()
	r.late.Wait()
	// Which change a value was is known only now.
	for i := range h.ops {
		in, out := h.ops[i].Input.(nearInput), h.ops[i].Output.(nearOutput)
		if in.kind == "get" && out.value != 0 {
			out.change = r.written[in.key+"="+strconv.FormatInt(out.value, 10)]
			h.ops[i].Output = out
		}
	}
	return h, r
}

// nearOptions are of different kinds: copies that are bounded come and go.
func nearOptions(seed uint64) cache.NearOptions {
	return []cache.NearOptions{{}, {MaxEntries: 1}, {MaxTTL: time.Hour}, {MaxTTL: 20 * time.Millisecond}}[seed%4]
}

// In virtual time calls overlap in every way, whatever the machine does.
func TestNearOneHost(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			run := nearRun{
				seed: seed, hosts: 1, callers: 6, calls: 40, faulty: 10, o: nearOptions(seed),
				pause: func() { time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) },
			}
			h, _ := run.do(t)
			h.check(t, seed, oneHostStep)
		})
	}
}

// As fast as the machine can, for the race detector.
func TestNearOneHostAtSpeed(t *testing.T) {
	for seed := range uint64(20) {
		run := nearRun{seed: seed, hosts: 1, callers: 6, calls: 60, faulty: 5, o: nearOptions(seed), pause: yieldSometimes}
		h, _ := run.do(t)
		h.check(t, seed, oneHostStep)
	}
}

func yieldSometimes() {
	if rand.IntN(4) == 0 {
		runtime.Gosched()
	}
}

func TestNearManyHosts(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			run := nearRun{
				seed: seed, hosts: 2, callers: 5, calls: 100, faulty: 10, losing: 5, o: nearOptions(seed),
				pause: func() { time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) },
			}
			h, _ := run.do(t)
			h.check(t, seed, manyHostsStep)
		})
	}
}

func TestNearManyHostsAtSpeed(t *testing.T) {
	for seed := range uint64(10) {
		run := nearRun{seed: seed, hosts: 2, callers: 4, calls: 300, faulty: 5, o: nearOptions(seed), pause: yieldSometimes}
		h, _ := run.do(t)
		h.check(t, seed, manyHostsStep)
	}
}

// When all changes have been told, every host sees the last.
func TestNearHostsAgreeInTheEnd(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			r := newRemote(2)
			nears := make([]*cache.Near, 2)
			for i, host := range r.hosts {
				host.pause = func() { time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) }
				var err error
				if nears[i], err = cache.NewNear(host, cache.NearOptions{}); err != nil {
					t.Fatal(err)
				}
				defer nears[i].Close()
			}
			time.Sleep(time.Second) // both watch
			var callers sync.WaitGroup
			for i := range 8 {
				c := &nearCaller{
					history: &nearHistory{}, near: nears[i%2], keys: []string{"k1", "k2", "k3"}, last: map[string]int64{},
					rand: rand.New(rand.NewPCG(seed, uint64(i))),
				}
				callers.Go(func() {
					for n := range 60 {
						c.call()
						if n == 30 && i < 2 && seed%2 == 0 {
							r.hosts[i].lose()
						}
					}
				})
			}
			callers.Wait()
			time.Sleep(time.Minute) // of virtual time: all is told, and watches are back
			for _, near := range nears {
				for _, key := range []string{"k1", "k2", "k3"} {
					for range 2 {
						e, ok, err := near.Get(t.Context(), key)
						want, there := r.entries[key]
						if err != nil || ok != there || string(e.Value) != string(want.Value) {
							t.Errorf("seed %d: %s is %q, %v, %v; the store has %q, %v", seed, key, e.Value, ok, err, want.Value, there)
						}
					}
				}
			}
		})
	}
}
