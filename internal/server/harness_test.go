package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// fakeStore is a Memory of which a test replaces some methods.
type fakeStore struct {
	*cache.Memory
	get       func(ctx context.Context, key string) (cache.Entry, bool, error)
	set       func(ctx context.Context, key string, e cache.Entry) error
	increment func(ctx context.Context) (int64, time.Time, error)
	scan      func(ctx context.Context, prefix string) iter.Seq2[string, error]
}

func newFake(t *testing.T) *fakeStore {
	t.Helper()
	m, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return &fakeStore{Memory: m}
}

func (f *fakeStore) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	if f.get != nil {
		return f.get(ctx, key)
	}
	return f.Memory.Get(ctx, key)
}

func (f *fakeStore) Set(ctx context.Context, key string, e cache.Entry) error {
	if f.set != nil {
		return f.set(ctx, key, e)
	}
	return f.Memory.Set(ctx, key, e)
}

func (f *fakeStore) Increment(ctx context.Context, key string, delta int64, expires time.Time) (int64, time.Time, error) {
	if f.increment != nil {
		return f.increment(ctx)
	}
	return f.Memory.Increment(ctx, key, delta, expires)
}

func (f *fakeStore) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	if f.scan != nil {
		return f.scan(ctx, prefix)
	}
	return f.Memory.Scan(ctx, prefix)
}

// hang is a store's call that ends with its context only.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func ready(context.Context) Status {
	return Status{Ready: true, Store: "memory", State: "ready", Version: "1.2.3"}
}

func newCache(t *testing.T, o cache.Options) *cache.Cache[[]byte] {
	t.Helper()
	c, err := cache.New[[]byte](o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// newHTTP completes o with a cache over store (nil: Memory) and a Status.
func newHTTP(t *testing.T, store cache.Store, o Options) *HTTP {
	t.Helper()
	if o.Cache == nil {
		o.Cache = newCache(t, cache.Options{Store: store})
	}
	if o.Status == nil {
		o.Status = ready
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// running is a server that Serve runs until stop is called or the test ends.
type running struct {
	t      *testing.T
	addr   string
	dial   func() (net.Conn, error)
	client *http.Client
	cancel context.CancelFunc
	result chan error
	once   sync.Once
	err    error
}

func serve(t *testing.T, h *HTTP, l net.Listener, dial func() (net.Conn, error)) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &running{t: t, addr: l.Addr().String(), dial: dial, cancel: cancel, result: make(chan error, 1)}
	go func() { s.result <- h.Serve(ctx, l) }()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }}
	s.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("the server redirects")
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := s.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

func (s *running) stop() error {
	s.once.Do(func() {
		s.cancel()
		s.err = <-s.result
	})
	return s.err
}

// listen serves h on a real socket on loopback.
func listen(t *testing.T, h *HTTP) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	return serve(t, h, l, func() (net.Conn, error) { return net.Dial("tcp", addr) })
}

// pipes is a listener of connections in memory, which a synctest bubble can
// see through. They have no buffers: a write returns when it was read.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial() (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// inBubble serves h on pipes.
func inBubble(t *testing.T, h *HTTP) *running {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	return serve(t, h, p, p.dial)
}

// raw is a connection on which a test writes the bytes itself.
type raw struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

func (s *running) raw() *raw {
	s.t.Helper()
	c, err := s.dial()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return newRaw(s.t, c)
}

func newRaw(t *testing.T, c net.Conn) *raw {
	return &raw{Conn: c, t: t, in: bufio.NewReader(c)}
}

func (c *raw) send(parts ...string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, strings.Join(parts, "")); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// head sends a request's head with a Host, and no body.
func (c *raw) head(line string, header ...string) {
	c.t.Helper()
	c.send(line, " HTTP/1.1\r\nHost: localhost\r\n")
	for _, h := range header {
		c.send(h, "\r\n")
	}
	c.send("\r\n")
}

// answer reads a response with its whole body.
func (c *raw) answer(method string) reply {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("no response: %v", err)
	}
	return readReply(c.t, resp)
}

// ends waits for the server to close the connection.
func (c *raw) ends() {
	c.t.Helper()
	if n, err := io.Copy(io.Discard, c.in); n > 0 || isTimeout(err) {
		c.t.Errorf("the server sent %d bytes more, then %v; want a closed connection", n, err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   string
	cut    error // the body is not whole
	close  bool
}

func readReply(t *testing.T, resp *http.Response) reply {
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	return reply{t, resp.StatusCode, resp.Header, string(body), err, resp.Close}
}

// do sends a request with the path exactly as given.
func (s *running) do(method, path, body string, header ...string) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://localhost", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	path, query, _ := strings.Cut(path, "?")
	req.URL.Opaque, req.URL.RawQuery = path, query
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return readReply(s.t, resp)
}

func (r reply) is(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status %d, want %d; body %.300q", r.status, status, r.body)
	}
	if r.cut != nil {
		r.t.Fatalf("the body ended with %v", r.cut)
	}
	return r
}

func (r reply) has(body string) {
	r.t.Helper()
	if r.body != body {
		r.t.Errorf("body %.300q, want %.300q", r.body, body)
	}
}

// problem checks that the reply is a problem document with this status and
// code, whose detail says something.
func (r reply) problem(status int, code string) problem {
	r.t.Helper()
	r.is(status)
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		r.t.Errorf("Content-Type %q, want a problem document", got)
	}
	var p problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		r.t.Fatalf("problem document %q: %v", r.body, err)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(status) || p.Status != status || p.Code != code || p.Detail == "" {
		r.t.Errorf("problem %+v, want status %d and code %q", p, status, code)
	}
	return p
}

// logBuffer collects a Logger's lines.
type logBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newLog() (*logBuffer, *slog.Logger) {
	buf := new(logBuffer)
	return buf, slog.New(slog.NewTextHandler(buf, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
