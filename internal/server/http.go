package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// Options configure HTTP. Cache and Status are required; the zero value of
// every other field works.
type Options struct {
	Cache *cache.Cache[[]byte]
	// Status tells what /readyz shows. Its context ends after Timeouts.Store.
	Status func(context.Context) Status
	// MaxValue is the longest value in bytes, which should be the store's
	// limit. 0: cache.DefaultMaxValue.
	MaxValue int
	// Admission bounds the memory of values on their way in and out. What would
	// pass it is answered with 503. The first 64 KiB of each value are not
	// counted. Nil: eight times MaxValue, for this front end alone.
	Admission *Admission
	// Hosts are the names, without ports, under which clients may call the
	// server, beside localhost and IP addresses. Without any, other names are
	// refused only on connections over loopback. See checkHost.
	Hosts []string
	// Logger gets a line for each request: at debug, or at error when the
	// server failed. Neither keys nor values are in it. Nil: none.
	Logger   *slog.Logger
	Timeouts Timeouts
}

// HTTP serves a cache over HTTP.
type HTTP struct {
	cache    *cache.Cache[[]byte]
	status   func(context.Context) Status
	maxValue int
	admitted *Admission
	hosts    map[string]bool
	log      *slog.Logger
	t        Timeouts
	origin   *http.CrossOriginProtection
}

var _ http.Handler = (*HTTP)(nil)

// New returns a server of o.Cache. It fails only on options that make no
// sense.
func New(o Options) (*HTTP, error) {
	t, err := o.Timeouts.withDefaults()
	switch {
	case err != nil:
		return nil, err
	case o.Cache == nil:
		return nil, errors.New("server: Options.Cache is nil")
	case o.Status == nil:
		return nil, errors.New("server: Options.Status is nil")
	case o.MaxValue < 0:
		return nil, fmt.Errorf("server: negative bound: MaxValue %d", o.MaxValue)
	}
	if o.MaxValue == 0 {
		o.MaxValue = cache.DefaultMaxValue
	}
	if o.Admission == nil {
		o.Admission = NewAdmission(MaxBuffered(o.MaxValue), nil)
	}
	if o.Admission.bound < int64(o.MaxValue) {
		return nil, fmt.Errorf("server: %d bytes are admitted: a value of MaxValue, %d bytes, would never pass", o.Admission.bound, o.MaxValue)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &HTTP{
		cache:    o.Cache,
		status:   o.Status,
		maxValue: o.MaxValue,
		admitted: o.Admission,
		hosts:    hostSet(o.Hosts),
		log:      o.Logger,
		t:        t,
		origin:   http.NewCrossOriginProtection(),
	}, nil
}

// unread bounds how long net/http looks for the end of a body that is not
// read. A body that is read has deadlines of its own.
const unread = 5 * time.Second

// ServeHTTP answers one request.
func (h *HTTP) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	start := time.Now()
	known := headOf(r)
	w := newResponse(rw, h.t)
	if hasBody(r) {
		w.readDeadline(start.Add(min(h.t.Lag, unread)))
	}
	err := h.handle(w, r, known)
	begun := w.status != 0
	if err != nil && !begun {
		w.problem(problemOf(err))
	}
	h.logRequest(w, r, time.Since(start), err)
	if err != nil && begun {
		// Only a broken connection tells the client that the answer is not
		// whole.
		panic(http.ErrAbortHandler)
	}
}

func (h *HTTP) handle(w *response, r *http.Request, known head) error {
	if known.refused != "" {
		return badFraming(known.refused)
	}
	if err := h.checkHost(r); err != nil {
		return err
	}
	rt, key, err := findRoute(r)
	w.route, w.key = rt.pattern, len(key)
	if err != nil {
		return err
	}
	m, ok := rt.methods.find(r.Method)
	if !ok {
		return methodNotAllowed(r.Method, rt)
	}
	if err := h.origin.Check(r); err != nil {
		return crossOrigin(err)
	}
	if err := m.takes.check(r); err != nil {
		return err
	}
	return m.serve(h, w, r, key)
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// logRequest keeps what clients send out of the log: keys, values and queries.
// An error of the store is shown as it is: who looks for the cause has nothing
// else.
func (h *HTTP) logRequest(w *response, r *http.Request, took time.Duration, err error) {
	ctx := r.Context()
	level := slog.LevelDebug
	if err == nil {
		err = w.item
	}
	gone := w.broken || ctx.Err() != nil
	if err != nil && !gone && (w.status >= 500 || !w.failed) {
		level = slog.LevelError
	}
	if !h.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method),
		slog.String("route", w.route),
		slog.Int("status", w.status),
		slog.Duration("took", took),
		slog.Int("key_bytes", w.key),
	}
	var p *problem
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("problem", p.Code)) // its detail may quote the request
	} else if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	h.log.LogAttrs(ctx, level, "http request", attrs...)
}
