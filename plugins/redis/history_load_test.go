//go:build unix

package main

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// historyLoad are callers of some hosts who make random calls, of which they
// keep a history.
type historyLoad struct {
	t    *testing.T
	keys []string
	history
	stop  atomic.Bool
	all   sync.WaitGroup
	calls []atomic.Int64 // of each host
}

// startHistory starts so many callers on each of the stores, one for each host.
func startHistory(t *testing.T, stores []cache.Store, callers int) *historyLoad {
	l := &historyLoad{t: t, keys: []string{"k1", "k2", "k3"}, calls: make([]atomic.Int64, len(stores))}
	for host, s := range stores {
		for i := range callers {
			c := &historyCaller{historyLoad: l, store: s, host: host, client: host*callers + i, last: map[string]int64{}}
			l.all.Go(func() {
				pace := time.NewTicker(time.Millisecond) // the machine is to have time for the servers
				defer pace.Stop()
				for !l.stop.Load() {
					c.call()
					l.calls[host].Add(1)
					<-pace.C
				}
			})
		}
	}
	t.Cleanup(l.end)
	return l
}

// progress waits until each host has made so many calls.
func (l *historyLoad) progress(calls int64) {
	l.t.Helper()
	for host := range l.calls {
		from := l.calls[host].Load()
		until(l.t, "callers make calls", func() bool { return l.calls[host].Load()-from >= calls })
	}
}

// end ends the load, also after a failure.
func (l *historyLoad) end() {
	l.stop.Store(true)
	l.all.Wait()
}

type historyCaller struct {
	*historyLoad
	store        cache.Store
	host, client int
	last         map[string]int64 // that was read
}

func historyEntry(n int64) cache.Entry { return cache.Entry{Value: strconv.AppendInt(nil, n, 10)} }

// historyNumber is 0 for none, and for what no caller wrote a number that none
// did.
func historyNumber(e cache.Entry, ok bool) int64 {
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(string(e.Value), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// anew is a number that nobody else has drawn.
func anew() int64 { return 1 + rand.Int64N(1<<50) }

func (c *historyCaller) operation(key, kind string) *operation {
	return &operation{host: c.host, client: c.client, key: key, kind: kind, arg: anew()}
}

// call makes one call.
func (c *historyCaller) call() {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	op := c.operation(c.keys[rand.IntN(len(c.keys))], "get")
	began := c.now()
	var err error
	switch rand.IntN(26) {
	case 0, 1, 2:
		op.kind = "set"
		err = c.store.Set(ctx, op.key, historyEntry(op.arg))
	case 3:
		op.kind = "delete"
		err = c.store.Delete(ctx, op.key)
	case 4:
		op.kind = "add"
		op.ok, err = cache.SetIfAbsent(ctx, c.store, op.key, historyEntry(op.arg))
	case 5, 6:
		op.kind, op.old = "swap", c.last[op.key]
		op.ok, err = cache.CompareAndSwap(ctx, c.store, op.key, historyEntry(op.old).Value, historyEntry(op.arg))
	case 7:
		op.kind, op.arg, op.old = "swap", 0, c.last[op.key]
		op.ok, err = cache.CompareAndDelete(ctx, c.store, op.key, historyEntry(op.old).Value)
	case 8:
		op.kind = "increment"
		op.value, _, err = cache.Increment(ctx, c.store, op.key, op.arg, time.Time{})
	case 9:
		op.kind = "touch"
		op.ok, err = cache.Touch(ctx, c.store, op.key, time.Time{})
	case 10:
		c.batch(ctx, began)
		return
	default:
		var e cache.Entry
		e, op.ok, err = c.store.Get(ctx, op.key)
		op.value = historyNumber(e, op.ok)
		c.last[op.key] = op.value
	}
	c.add(began, err, op)
}

// batch makes one call for all keys, which is one operation on each.
func (c *historyCaller) batch(ctx context.Context, began int64) {
	kinds := []string{"get", "set", "delete"}
	kind := kinds[rand.IntN(len(kinds))]
	var ops []*operation
	var items []cache.Item
	for _, key := range c.keys {
		op := c.operation(key, kind)
		ops, items = append(ops, op), append(items, cache.Item{Key: key, Entry: historyEntry(op.arg)})
	}
	var err error
	switch kind {
	case "get":
		var found []cache.Lookup
		found, err = cache.GetMany(ctx, c.store, c.keys)
		for i := range found {
			ops[i].value = historyNumber(found[i].Entry, found[i].Found)
		}
	case "set":
		err = cache.SetMany(ctx, c.store, items)
	case "delete":
		err = cache.DeleteMany(ctx, c.store, c.keys)
	}
	c.add(began, err, ops...)
}
