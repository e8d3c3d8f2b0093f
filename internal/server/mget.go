package server

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/harpia-go/harpia/cache"
)

const (
	// mgetWindow is how many values of a batch are read at once, where the
	// Admission has room for so many of the longest. They are read one by one and
	// not with GetMany: how long a value is shows when it has come, and as of
	// single reads, no more than these may come unadmitted.
	mgetWindow = 8
	// maxKeysBody is the longest body of keys alone, in bytes.
	maxKeysBody = 4 << 20
)

// fetched is what came of one line.
type fetched struct {
	key     string
	value   []byte
	expires time.Time
	ok      bool
	err     error
	share   share
}

// mget reads all lines before it answers: many clients do not look for an answer
// before they have sent all. The answer streams.
func (h *HTTP) mget(w *response, r *http.Request, _ string) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	if !r.ProtoAtLeast(1, 1) {
		return needsChunks
	}
	s := share{of: h.admitted}
	defer s.release()
	body, err := h.readBody(w, r, &s, min(maxKeysBody, h.maxValue+uncounted))
	if errors.Is(err, cache.ErrTooLarge) {
		err = longBatch
	}
	if err != nil {
		return err
	}
	asked := bytes.Split(body, []byte{'\n'})
	if len(asked[len(asked)-1]) == 0 {
		asked = asked[:len(asked)-1] // behind the last line's end
	}
	if len(asked) > maxItems {
		return manyKeys
	}
	return h.answerEach(w, r, asked)
}

// answerEach keeps a window of reads under way and writes their results in the
// order of the lines.
func (h *HTTP) answerEach(w *response, r *http.Request, asked [][]byte) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	window := int(max(1, min(mgetWindow, h.admitted.bound/int64(max(1, h.maxValue)))))
	results := make([]chan *fetched, window)
	for i := range results {
		results[i] = make(chan *fetched, 1)
	}
	started, written := 0, 0
	defer func() {
		cancel()
		for ; written < started; written++ {
			f := <-results[written%window]
			f.share.release()
		}
	}()
	out := lines{w: w}
	for written < len(asked) {
		for ; started < min(len(asked), written+window); started++ {
			line, result := asked[started], results[started%window]
			go func() { result <- h.fetch(ctx, line) }()
		}
		f := <-results[written%window]
		written++
		err := out.fetched(written, f)
		f.share.release()
		if err != nil {
			return err
		}
		w.noteItem(f.err)
	}
	return out.send()
}

func (h *HTTP) fetch(ctx context.Context, line []byte) *fetched {
	f := &fetched{share: share{of: h.admitted}}
	it, err := parseItem(line, false, nil)
	if err != nil {
		f.err = err
		return f
	}
	f.key = it.key
	ctx, cancel := context.WithTimeout(ctx, h.t.Store)
	defer cancel()
	f.value, f.expires, f.ok, f.err = h.cache.GetWithExpiry(ctx, it.key)
	if f.err == nil && !f.share.hold(len(f.value)) {
		f.value, f.err = nil, errBusy
	}
	return f
}

// fetched writes one line of the answer.
func (l *lines) fetched(n int, f *fetched) error {
	if f.err != nil {
		l.problem(n, f.err)
		return l.end()
	}
	l.add(`{"line":`, strconv.Itoa(n), `,"key":"`)
	l.buf = appendKey(l.buf, f.key)
	if !f.ok {
		l.add(`","found":false}`)
		return l.end()
	}
	l.add(`","found":true,`)
	if err := l.value(f.value); err != nil {
		return err
	}
	l.add(`,"etag":`)
	l.quote(tagOf(f.value))
	l.add(`,"expires":`)
	if expires := shownExpiry(f.expires); expires != nil {
		l.quote(*expires)
	} else {
		l.add("null")
	}
	l.add("}")
	return l.end()
}

var (
	longBatch = newProblem(http.StatusRequestEntityTooLarge, "too_large",
		"the lines together are too long: send them in several requests; nothing was done")
	manyKeys = newProblem(http.StatusRequestEntityTooLarge, "too_many_items",
		"a batch has at most "+strconv.Itoa(maxItems)+" lines: send them in several requests; nothing was done")
)
