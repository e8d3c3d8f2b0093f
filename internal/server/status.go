package server

import (
	"io"
	"net/http"
)

// Status is what /readyz shows. The answer is 200 if Ready, else 503.
type Status struct {
	Ready bool `json:"ready"`
	// Store is the store's URL, without secrets.
	Store string `json:"store"`
	// State is "ready" or what is wrong, such as "starting" or "degraded". A
	// server that is degraded may well be Ready.
	State   string `json:"state"`
	Version string `json:"version"`
	// Plugin is nil for a store in this process.
	Plugin *Plugin `json:"plugin,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// Plugin is the process that holds the store.
type Plugin struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	PID     int    `json:"pid"`
}

func (h *HTTP) healthz(w *response, _ *http.Request, _ string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", "3")
	_, err := io.WriteString(w, "ok\n")
	return err
}

func (h *HTTP) readyz(w *response, r *http.Request, _ string) error {
	ctx, cancel := h.operation(r)
	defer cancel()
	s := h.status(ctx)
	code := http.StatusOK
	if !s.Ready {
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryAfter)
	}
	return w.json(code, "application/json", s)
}
