package server

import (
	"context"
	"errors"
	"net/http"
	"time"
)

const (
	// keysChunk and keysEvery say when lines are sent on: what comes first.
	keysChunk = 32 << 10
	keysEvery = 200 * time.Millisecond
)

// listKeys streams. An error after the first lines breaks the connection, see
// ServeHTTP.
func (h *HTTP) listKeys(w *response, r *http.Request, _ string) error {
	query, err := parameters(r, "prefix")
	if err != nil {
		return err
	}
	if !r.ProtoAtLeast(1, 1) {
		// Before chunks, a listing that was cut off looked whole.
		return needsChunks
	}
	// The store has Timeouts.Store for each step, not for the whole.
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	stalled := time.AfterFunc(h.t.Store, func() { cancel(context.DeadlineExceeded) })
	defer stalled.Stop()

	out := lines{w: w}
	for key, err := range h.cache.Keys(ctx, query["prefix"]) {
		if err != nil {
			return stepError(ctx, err)
		}
		stalled.Stop() // the time that the client takes is not the store's
		if err := out.add(key); err != nil {
			return err
		}
		stalled.Reset(h.t.Store)
	}
	// A store that just stops when its context ends has not listed all.
	if ctx.Err() != nil {
		return stepError(ctx, ctx.Err())
	}
	return out.send()
}

// stepError tells a store that took too long from a client that went.
func stepError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return err
}

// lines are gathered, so that a key is not a packet, and not for long.
type lines struct {
	w    *response
	buf  []byte
	sent time.Time
}

func (l *lines) add(key string) error {
	l.buf = append(l.buf, `{"key":"`...)
	l.buf = appendKey(l.buf, key) // has nothing that JSON would escape
	l.buf = append(l.buf, "\"}\n"...)
	if len(l.buf) < keysChunk && time.Since(l.sent) < keysEvery {
		return nil
	}
	if err := l.send(); err != nil {
		return err
	}
	l.sent = time.Now()
	return l.w.flush()
}

func (l *lines) send() error {
	if l.w.status == 0 {
		l.w.Header().Set("Content-Type", "application/x-ndjson")
		l.w.WriteHeader(http.StatusOK)
	}
	_, err := l.w.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}
