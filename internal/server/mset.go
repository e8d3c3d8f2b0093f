package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/harpia-go/harpia/cache"
)

const (
	// groupItems and groupBytes say how many items go to the store at once.
	groupItems = 256
	groupBytes = 256 << 10
)

// mset and mdelete read and do line by line. Their answers are short, and sent
// when all is read: many clients do not look for one before they have sent all.

func (h *HTTP) mset(w *response, r *http.Request, _ string) error {
	return h.writeBatch(w, r, true, "stored", func(ctx context.Context, g *group) error {
		values := make(map[string][]byte, len(g.items))
		for _, it := range g.items {
			values[it.key] = it.value
		}
		return h.cache.SetMany(ctx, values, g.options()...)
	})
}

func (h *HTTP) mdelete(w *response, r *http.Request, _ string) error {
	return h.writeBatch(w, r, false, "deleted", func(ctx context.Context, g *group) error {
		keys := make([]string, len(g.items))
		for i, it := range g.items {
			keys[i] = it.key
		}
		return h.cache.DeleteMany(ctx, keys)
	})
}

// group is items of one time to live that go to the store at once. Of two with
// one key the last wins.
type group struct {
	items []item
	bytes int
}

func (g *group) takes(it item) bool {
	if len(g.items) == 0 {
		return true
	}
	first := g.items[0].ttl
	sameTTL := first == it.ttl || first != nil && it.ttl != nil && *first == *it.ttl
	return sameTTL && len(g.items) < groupItems && g.bytes+it.size() <= groupBytes
}

func (g *group) add(it item) {
	g.items = append(g.items, it)
	g.bytes += it.size()
}

func (g *group) clear() {
	clear(g.items) // the values are the store's now
	g.items, g.bytes = g.items[:0], 0
}

func (g *group) options() []cache.SetOption {
	if ttl := g.items[0].ttl; ttl != nil {
		return []cache.SetOption{cache.TTL(*ttl)}
	}
	return nil
}

func (it item) size() int { return len(it.key) + cap(it.value) }

// batch is a batch of writes under way.
type batch struct {
	w     *response
	out   lines
	in    *batchReader
	done  string // the member that says that an item was done
	group group
	do    func(context.Context, *group) error
	ctx   context.Context
	limit time.Duration
	next  int // the line that the group begins with
}

func (h *HTTP) writeBatch(w *response, r *http.Request, withValue bool, done string, do func(context.Context, *group) error) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	s := share{of: h.admitted}
	defer s.release()
	limit := maxKeyLine
	if withValue {
		limit = h.maxLine()
	}
	b := &batch{
		w: w, out: lines{w: w}, in: h.newBatchReader(w, r, &s, limit), done: done, do: do, ctx: r.Context(), limit: h.t.Store, next: 1,
	}
	for n := 1; ; n++ {
		if b.in.waits() {
			// What has arrived is done, whatever becomes of the client.
			b.flush()
		}
		line, err := b.in.next()
		if err == io.EOF {
			break
		}
		if err == nil && n > maxItems {
			err = errManyItems
		}
		over := err != nil && !passedOver(err)
		if over && n == 1 {
			return err // nothing was done
		}
		var it item
		if err == nil {
			it, err = parseItem(line, withValue, b.in.room)
		}
		if err == nil && len(it.value) > h.maxValue {
			err = tooLarge(int64(len(it.value)), h.maxValue)
		}
		b.take(n, it, err)
		if over {
			w.Header().Set("Connection", "close")
			break
		}
		if b.ctx.Err() != nil {
			return b.ctx.Err()
		}
	}
	b.flush()
	body := b.out.buf
	w.Header().Set("Content-Type", ndjson)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(body)
	return err
}

// passedOver: the line is lost, and those after it are not.
func passedOver(err error) bool {
	var p *problem
	return err == errBusy || errors.As(err, &p) && p.Code == "too_large"
}

// take puts an item into the group, or answers it with its error.
func (b *batch) take(n int, it item, err error) {
	if err != nil {
		b.flush()
		b.out.problem(n, err)
		b.out.buf = append(b.out.buf, '\n')
		b.next = n + 1
	} else {
		if !b.group.takes(it) {
			b.flush()
		}
		b.group.add(it)
	}
	if b.group.bytes > groupBytes {
		b.flush() // one large value
	}
	b.in.done(b.group.bytes + cap(b.out.buf))
}

// flush hands the group to the store and answers its items. After an error any
// of them may have been done.
func (b *batch) flush() {
	if len(b.group.items) == 0 {
		return
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(b.ctx, b.limit)
	err := b.do(ctx, &b.group)
	cancel()
	b.in.body.pause(time.Since(start))
	b.w.noteItem(err)
	for range b.group.items {
		if err != nil {
			b.out.problem(b.next, err)
		} else {
			b.out.add(`{"line":`, strconv.Itoa(b.next), `,"`, b.done, `":true}`)
		}
		b.out.buf = append(b.out.buf, '\n')
		b.next++
	}
	b.group.clear()
}
