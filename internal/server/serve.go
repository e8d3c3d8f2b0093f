package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harpia-go/harpia/cache"
)

const (
	// maxHeader has room for the longest key with each byte percent-encoded,
	// and for what else clients send. Past it net/http answers 431.
	maxHeader = 3*cache.MaxKey + 16<<10
	// cutOff bounds the wait for requests whose context and connection have
	// been ended.
	cutOff = 2 * time.Second
)

// Serve answers the connections of l until ctx ends. Then it closes l, lets
// the requests in flight finish within Timeouts.Drain, and returns nil if they
// did. No goroutine of it remains, unless the store ignores its context: the
// error says so.
func (h *HTTP) Serve(ctx context.Context, l net.Listener) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var open connections
	srv := &http.Server{
		Handler:                      h,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            h.t.Header,
		WriteTimeout:                 h.t.Lag, // of net/http's own answers; see response.WriteHeader
		IdleTimeout:                  h.t.Idle,
		MaxHeaderBytes:               maxHeader,
		ErrorLog:                     slog.NewLogLogger(h.log.Handler(), slog.LevelError),
		BaseContext:                  func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, c)
		},
		ConnState: open.track,
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(watched{l, h}) }()

	var failed error
	select {
	case err := <-served:
		failed = fmt.Errorf("server: no more connections on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	limit, stop := context.WithTimeout(base, h.t.Drain)
	defer stop()
	err := srv.Shutdown(limit)
	if failed == nil {
		<-served // no connection is added to open after this
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("server: %d requests were cut off after %v: %w", open.count.Load(), h.t.Drain, err)
		cancel()
		srv.Close()
	}
	return errors.Join(failed, err, open.wait())
}

// connections counts the goroutines that net/http runs.
type connections struct {
	ended sync.WaitGroup
	count atomic.Int64
}

func (c *connections) track(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateIdle:
		if conn, ok := conn.(*connection); ok {
			conn.idle()
		}
	case http.StateNew:
		c.ended.Add(1)
		c.count.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.count.Add(-1)
		c.ended.Done()
	}
}

func (c *connections) wait() error {
	done := make(chan struct{})
	go func() {
		c.ended.Wait()
		close(done)
	}()
	timer := time.NewTimer(cutOff)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("server: %d requests did not end though they were cancelled: the store ignores its context", c.count.Load())
	}
}
