package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// connection is one that a client has made. It knows of each request what
// net/http leaves out, and makes problem documents of the answers that net/http
// gives by itself, in plain text, to what it cannot read.
type connection struct {
	net.Conn
	of *HTTP
	// serving: a request's handler runs, or its answer is being sent. What is
	// written otherwise is an answer of net/http's own.
	serving atomic.Bool

	mu     sync.Mutex
	seen   framing
	failed error // of the last Read
}

// Read may run, for one byte, while a handler does.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.seen.see(p[:n])
	c.failed = err
	c.mu.Unlock()
	return n, err
}

// Write is given each of net/http's own answers whole.
func (c *connection) Write(p []byte) (int, error) {
	if c.serving.Load() {
		return c.Conn.Write(p)
	}
	c.mu.Lock()
	failed, readErr := c.seen.failed(), c.failed
	c.mu.Unlock()
	problem := unreadable(string(p), failed, readErr)
	c.of.log.LogAttrs(context.Background(), slog.LevelDebug, "http request", slog.Int("status", problem.Status), slog.String("problem", problem.Code))
	if _, err := c.Conn.Write(problem.message(failed.isHEAD)); err != nil {
		return 0, err
	}
	if readErr == nil {
		c.linger()
	}
	return len(p), nil
}

// linger gives the client a moment to read the last answer. A connection that
// is closed while bytes of the client's arrive is reset, and with it goes what
// the client has not read yet.
func (c *connection) linger() {
	_ = c.CloseWrite()
	_ = c.Conn.SetReadDeadline(time.Now().Add(lingering))
	_, _ = io.CopyN(io.Discard, c.Conn, 1<<20)
}

const lingering = 500 * time.Millisecond

// CloseWrite lets net/http end an answer whose request it has not read.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// begin marks the beginning of a request's handler and returns what is known
// of its head.
func (c *connection) begin() head {
	c.serving.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen.next()
}

// idle marks the end of an answer. Until then net/http may have ended a Read by
// a deadline to have the connection for itself.
func (c *connection) idle() {
	c.serving.Store(false)
	c.mu.Lock()
	c.failed = nil
	c.mu.Unlock()
}

type connectionKey struct{}

// headOf returns what is known of the head of r beyond r: nothing, unless Serve
// has accepted its connection.
func headOf(r *http.Request) head {
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		return c.begin()
	}
	return head{}
}

// watched makes connections of those that a listener accepts.
type watched struct {
	net.Listener
	of *HTTP
}

func (w watched) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &connection{Conn: c, of: w.of}, nil
}

// unreadable is the problem that net/http has found and answered with text.
func unreadable(text string, failed head, readErr error) *problem {
	var status int
	if _, err := fmt.Sscanf(text, "HTTP/1.1 %d", &status); err != nil {
		status = http.StatusBadRequest
	}
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		return newProblem(status, "head_too_large", fmt.Sprintf("the request line and the fields together have more than %d bytes", maxHeader))
	case http.StatusNotImplemented:
		return newProblem(status, "unsupported_coding", "the one transfer coding of a body is chunked")
	case http.StatusHTTPVersionNotSupported:
		return newProblem(status, "http_version", "this server speaks HTTP/1.1 and HTTP/1.0")
	case http.StatusExpectationFailed:
		return newProblem(status, "expectation_failed", "the one expectation that can be met is 100-continue")
	}
	switch {
	case errors.Is(readErr, os.ErrDeadlineExceeded):
		return newProblem(http.StatusRequestTimeout, "slow_head", "the head of the request came too slowly")
	case readErr != nil:
		return newProblem(http.StatusBadRequest, "bad_request", "the head of the request did not arrive whole")
	case failed.refused != "":
		return newProblem(http.StatusBadRequest, "bad_request", failed.refused)
	case failed.brokenPath:
		return badPath(errPercent)
	}
	detail := "this is no request of HTTP/1.1"
	if _, body, _ := strings.Cut(text, "\r\n\r\n"); strings.HasPrefix(body, "400 Bad Request: ") {
		detail = strings.TrimPrefix(body, "400 Bad Request: ")
	}
	return newProblem(http.StatusBadRequest, "bad_request", detail)
}

// message is the whole answer, after which the connection ends.
func (p *problem) message(withoutBody bool) []byte {
	body, _ := json.Marshal(p) // cannot fail
	body = append(body, '\n')
	var m strings.Builder
	fmt.Fprintf(&m, "HTTP/1.1 %d %s\r\n", p.Status, p.Title)
	for _, f := range always {
		fmt.Fprintf(&m, "%s: %s\r\n", f[0], f[1])
	}
	fmt.Fprintf(&m, "Content-Type: application/problem+json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(body))
	if !withoutBody {
		m.Write(body)
	}
	return []byte(m.String())
}
