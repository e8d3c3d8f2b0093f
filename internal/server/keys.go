package server

import (
	"context"
	"errors"
	"net/http"
	"time"
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
		out.add(`{"key":"`)
		out.buf = appendKey(out.buf, key) // has nothing that JSON would escape
		out.add(`"}`)
		if err := out.end(); err != nil {
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
