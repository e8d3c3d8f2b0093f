package server

import (
	"context"
	"net/http"
	"strconv"
)

func (h *HTTP) operation(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), h.t.Store)
}

func (h *HTTP) getValue(w *response, r *http.Request, key string) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	demanded, err := conditionsOf(r)
	if err != nil {
		return err
	}
	ctx, cancel := h.operation(r)
	defer cancel()
	value, expires, ok, err := h.cache.GetWithExpiry(ctx, key)
	if err != nil {
		return err
	}
	if !ok {
		return notFound
	}
	s := share{of: h.admitted}
	defer s.release()
	if !s.hold(len(value)) {
		return errBusy
	}
	tag := tagOf(value)
	header := w.Header()
	err = demanded.check(tag)
	if err == unchanged || err == present {
		header.Set("Etag", tag)
		setExpires(header, expires)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if err != nil {
		return err
	}
	part, partial, err := spanOf(r, tag, len(value))
	if err != nil {
		return err
	}
	status, sent := http.StatusOK, value
	if partial {
		status, sent = http.StatusPartialContent, value[part.first:part.end]
		header.Set("Content-Range", part.contentRange(len(value)))
	}
	header.Set("Accept-Ranges", "bytes")
	header.Set("Etag", tag)
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Length", strconv.Itoa(len(sent)))
	setExpires(header, expires)
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = w.Write(sent)
	return err
}

// putValue answers 201 if it is certain that the key held nothing, which only a
// condition tells, else 204.
func (h *HTTP) putValue(w *response, r *http.Request, key string) error {
	query, err := parameters(r, "ttl")
	if err != nil {
		return err
	}
	options, err := query.ttl()
	if err != nil {
		return err
	}
	demanded, err := conditionsOf(r)
	if err != nil {
		return err
	}
	s := share{of: h.admitted}
	defer s.release()
	value, err := h.readBody(w, r, &s, h.maxValue)
	if err != nil {
		return err
	}
	ctx, cancel := h.operation(r)
	defer cancel()
	created := false
	if demanded.none() {
		err = h.cache.Set(ctx, key, value, options...)
	} else {
		before := share{of: h.admitted}
		defer before.release()
		created, err = h.putIf(ctx, key, value, demanded, &before, options)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Etag", tagOf(value))
	if created {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusCreated)
		return nil
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// touchValue changes when an entry expires. The ttl must be given: without one
// it would be unclear whether the entry is to live for ever.
func (h *HTTP) touchValue(w *response, r *http.Request, key string) error {
	query, err := parameters(r, "ttl")
	if err != nil {
		return err
	}
	options, err := query.ttl()
	if err != nil {
		return err
	}
	if len(options) == 0 {
		return badTTL("PATCH changes the time to live and needs one: ?ttl=30s, or 0 for never")
	}
	ctx, cancel := h.operation(r)
	defer cancel()
	found, err := h.cache.Touch(ctx, key, options...)
	if err != nil {
		return err
	}
	if !found {
		return notFound
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *HTTP) deleteValue(w *response, r *http.Request, key string) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	demanded, err := conditionsOf(r)
	if err != nil {
		return err
	}
	ctx, cancel := h.operation(r)
	defer cancel()
	if demanded.none() {
		err = h.cache.Delete(ctx, key)
	} else {
		before := share{of: h.admitted}
		defer before.release()
		err = h.deleteIf(ctx, key, demanded, &before)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type counted struct {
	Value   int64   `json:"value"`
	Expires *string `json:"expires"`
}

func (h *HTTP) increment(w *response, r *http.Request, key string) error {
	query, err := parameters(r, "delta", "ttl")
	if err != nil {
		return err
	}
	delta, err := query.delta()
	if err != nil {
		return err
	}
	options, err := query.ttl()
	if err != nil {
		return err
	}
	ctx, cancel := h.operation(r)
	defer cancel()
	n, expires, err := h.cache.Increment(ctx, key, delta, options...)
	if err != nil {
		return err
	}
	return w.json(http.StatusOK, "application/json", counted{n, shownExpiry(expires)})
}
