package server

import (
	"context"
	"net/http"
	"strconv"
)

// preciseTime is how an expiry is shown where a header has only seconds.
const preciseTime = "2006-01-02T15:04:05.000Z07:00"

func (h *HTTP) operation(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), h.t.Store)
}

func (h *HTTP) getValue(w *response, r *http.Request, key string) error {
	if _, err := parameters(r); err != nil {
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
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Length", strconv.Itoa(len(value)))
	if !expires.IsZero() {
		expires = expires.UTC()
		header.Set("Expires", expires.Format(http.TimeFormat))
		header.Set("Harpia-Expires", expires.Format(preciseTime))
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = w.Write(value)
	return err
}

func (h *HTTP) putValue(w *response, r *http.Request, key string) error {
	query, err := parameters(r, "ttl")
	if err != nil {
		return err
	}
	options, err := query.ttl()
	if err != nil {
		return err
	}
	s := share{of: h.admitted}
	defer s.release()
	value, err := h.readBody(w, r, &s)
	if err != nil {
		return err
	}
	ctx, cancel := h.operation(r)
	defer cancel()
	if err := h.cache.Set(ctx, key, value, options...); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *HTTP) deleteValue(w *response, r *http.Request, key string) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	ctx, cancel := h.operation(r)
	defer cancel()
	if err := h.cache.Delete(ctx, key); err != nil {
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
	answer := counted{Value: n}
	if !expires.IsZero() {
		text := expires.UTC().Format(preciseTime)
		answer.Expires = &text
	}
	return w.json(http.StatusOK, "application/json", answer)
}
