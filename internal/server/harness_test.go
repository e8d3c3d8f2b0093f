package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
)

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
	absurd bool // the store returns errors that no store has for that call
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
