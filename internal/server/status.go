package server

import (
	"io"
	"net/http"
	"time"
)

// Status is what /readyz shows. The answer is 200 if Ready, else 503.
type Status struct {
	// Ready: calls are served, be it by memory in place of the plugin.
	Ready bool `json:"ready"`
	// Store is the store's URL, without secrets.
	Store string `json:"store"`
	// State is "starting", "ready", "degraded" or "failed". A server whose
	// plugin is not well may be Ready all the same.
	State string `json:"state"`
	// Since is when State came to be so.
	Since   time.Time `json:"since"`
	Version string    `json:"version"`
	// Generation counts the processes of the plugin that were started; 0 for a
	// store in this process.
	Generation uint64 `json:"generation"`
	// Restarts counts those of them that followed a failure.
	Restarts int `json:"restarts"`
	// Fallback: memory serves in place of the plugin.
	Fallback bool `json:"fallback"`
	// Journal is what the plugin is still to be told; nil without Fallback.
	Journal *Journal `json:"journal,omitempty"`
	// Quarantine are the keys whose calls killed the plugin, of each the first 16
	// hexadecimal digits of its SHA-256.
	Quarantine []string `json:"quarantine,omitempty"`
	// Plugin is nil if no process serves.
	Plugin *Plugin `json:"plugin,omitempty"`
	// Error is the last failure, on one line. It stays when it is over.
	Error string `json:"error,omitempty"`
}

// Journal is how much was written while the plugin was down.
type Journal struct {
	Entries int   `json:"entries"`           // keys
	Bytes   int64 `json:"bytes"`             // of the keys and their values
	Dropped int   `json:"dropped,omitempty"` // keys whose values did not fit: they will be emptied
	Clear   bool  `json:"clear"`             // there were too many: the store will be cleared
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
