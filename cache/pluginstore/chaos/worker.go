//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/shared"
)

// worker is one caller of the store. It records what it does.
type worker struct {
	r       *run
	id      int
	rng     *rand.Rand
	seq     int // of the values that it wrote, so that each has a name of its own
	own     []string
	read    map[string][]byte // the last value that it saw of a key, for swaps
	hasty   bool              // the call under way may be given up
	records []record
	clears  []record // calls of Clear
}

// Keys are of three kinds. Those with one writer say what must be there; on
// the others, which all write, operations overlap.
const (
	ownKeys      = 8 // of each worker
	sharedKeys   = 16
	counterKeys  = 4
	sharedSpace  = "shared/"
	counterSpace = sharedSpace + "counter/"
)

func ownSpace(id int) string      { return fmt.Sprintf("own/%d/", id) }
func ownKey(id, i int) string     { return fmt.Sprintf("%s%d", ownSpace(id), i) }
func sharedKey(i int) string      { return fmt.Sprintf("%s%d", sharedSpace, i) }
func counterKey(i int) string     { return fmt.Sprintf("%s%d", counterSpace, i) }
func (w *worker) pickOwn() string { return w.own[w.skewed(len(w.own))] }

// skewed prefers the first of n: some keys are busy, and some keep what they
// have for long.
func (w *worker) skewed(n int) int { return min(w.rng.IntN(n), w.rng.IntN(n)) }

// pickAny is a key to read; pickWrite one that the worker may write.
func (w *worker) pickAny() string {
	switch w.rng.IntN(10) {
	case 0, 1, 2:
		return w.pickOwn()
	case 3:
		return ownKey(w.rng.IntN(w.r.workers), w.rng.IntN(ownKeys))
	case 4:
		return counterKey(w.rng.IntN(counterKeys))
	}
	return sharedKey(w.rng.IntN(sharedKeys))
}

func (w *worker) pickWrite() string {
	if w.rng.IntN(2) == 0 {
		return w.pickOwn()
	}
	return sharedKey(w.rng.IntN(sharedKeys))
}

// some returns up to eight different keys.
func (w *worker) some(pick func() string) []string {
	var keys []string
	seen := make(map[string]bool)
	for range 1 + w.rng.IntN(8) {
		if key := pick(); !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys
}

// entry makes a new entry: mostly small, sometimes empty or 64 KiB long, one in
// four with an expiry, which may be past.
func (w *worker) entry() (name string, e cache.Entry) {
	w.seq++
	name = fmt.Sprintf("%d-%d", w.id, w.seq)
	size := w.rng.IntN(200)
	switch w.rng.IntN(100) {
	case 0:
		name = ""
	case 1:
		size = 64<<10 - 32
	case 2, 3, 4, 5:
		size = w.rng.IntN(8 << 10)
	}
	e.Value = makeValue(name, size)
	if w.rng.IntN(4) == 0 {
		ttl := time.Duration(w.rng.IntN(2000)-20) * time.Millisecond
		if w.rng.IntN(2) == 0 {
			ttl /= 20
		}
		e.Expires = cache.Deadline(time.Now(), ttl)
	}
	return name, e
}

// context is that of one call. Few callers give up early; nobody should have to
// wait for the other limit.
func (w *worker) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if w.hasty = w.rng.IntN(50) == 0; w.hasty {
		return context.WithTimeout(ctx, time.Duration(w.rng.IntN(2000))*time.Microsecond)
	}
	return context.WithTimeout(ctx, w.r.scenario.patience())
}

// work calls the store until stop is closed.
func (w *worker) work(ctx context.Context, stop <-chan struct{}) {
	began := time.Now()
	for {
		select {
		case <-stop:
			return
		default:
		}
		w.once(ctx)
		// Memory is so fast that the history would grow beyond what can be
		// checked, and so it would while a plugin hangs for long.
		pause := w.rng.IntN(600)
		switch long := time.Since(began); {
		case long > 5*time.Second:
			pause *= 100
		case long > time.Second:
			pause *= 8
		}
		time.Sleep(time.Duration(pause) * time.Microsecond)
	}
}

func (w *worker) once(ctx context.Context) {
	ctx, cancel := w.context(ctx)
	defer cancel()
	switch n := w.rng.IntN(1000); {
	case n < 350:
		w.get(ctx, w.pickAny())
	case n < 600:
		w.set(ctx, w.pickWrite())
	case n < 700:
		w.delete(ctx, w.pickWrite())
	case n < 760:
		w.getMany(ctx, w.some(w.pickAny))
	case n < 800:
		w.setMany(ctx, w.some(w.pickWrite))
	case n < 830:
		w.deleteMany(ctx, w.some(w.pickWrite))
	case n < 832:
		w.clear(ctx)
	case n < 865:
		w.fill(ctx, sharedKey(w.rng.IntN(sharedKeys)))
	default:
		// While memory serves these are refused, and leave nothing but
		// operations of unknown outcome.
		if w.r.store.Status().Fallback && w.rng.IntN(20) > 0 {
			w.get(ctx, w.pickAny())
			return
		}
		w.atomic(ctx)
	}
}

// begin starts the record of an operation.
func (w *worker) begin(key string, in input) record {
	in.at = time.Now().UnixMilli()
	return record{key: key, client: w.id, in: in, call: w.r.now()}
}

// beginAtomic is begin of what only the plugin can do.
func (w *worker) beginAtomic(key string, in input) record {
	r := w.begin(key, in)
	r.outage = w.r.store.Outage()
	return r
}

// end completes it. An operation that failed may have been done, or be done
// later; a read that failed says nothing, and neither does what was refused in
// an outage: there was no plugin to send it to from the call to the return.
func (w *worker) end(r record, out output, err error) {
	r.out, r.ret = out, w.r.now()
	if err != nil {
		if r.in.kind == get || r.outage != 0 && r.outage == w.r.store.Outage() {
			return
		}
		r.out, r.ret = output{unknown: true}, noReturn
		r.generation = w.r.store.Status().Generation
	}
	w.records = append(w.records, r)
}

// judge counts an error of an operation that must not have one.
func (w *worker) judge(ctx context.Context, what, key string, err error) {
	w.r.counts.operations.Add(1)
	if err == nil || !w.r.scenario.bridged {
		return
	}
	// The caller's own doing. The plugin knows the deadline too, and may give
	// the call up a little before the context says that it is over.
	if w.hasty && errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled) {
		return
	}
	// What a plugin answers by order is an answer.
	if w.r.lies.Load() && !errors.Is(err, cache.ErrUnavailable) && !errors.Is(err, cache.ErrClosed) {
		return
	}
	// A durable store gives up availability before data.
	if errors.Is(err, pluginstore.ErrJournalFull) {
		return
	}
	// A call that hangs fails alone, and its key is in doubt.
	if w.r.hangs.Load() && (errors.Is(err, shared.ErrNoAnswer) || errors.Is(err, pluginstore.ErrInDoubt)) {
		return
	}
	w.r.counts.failed.Add(1)
	w.r.note("%s %s failed: %v", what, key, err)
}
