//go:build unix

package redistest

import (
	"bufio"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
)

// Handler answers a command, whose first word is in capitals, in the bytes of
// the protocol: "+OK\r\n". Forward asks the real server and returns its answer.
// Where a Handler returns nothing, the connection is closed. The context ends
// with the test.
type Handler func(ctx context.Context, command []string, forward func() []byte) []byte

// Proxy is a server that answers as a Handler says. It does one command of a
// connection after the other, and tells nothing unasked.
type Proxy struct {
	listener net.Listener
	server   *Server
	handler  Handler
}

// StartProxy starts a proxy before the server, which may be nil if the handler
// does not forward.
func StartProxy(t testing.TB, server *Server, handler Handler) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", loopback(freePort(t)))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, server: server, handler: handler}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.serve(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		all.Wait()
	})
	return p
}

// Addr returns the proxy's host and port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	to := &upstream{}
	if p.server != nil {
		conn, err := net.Dial("unix", p.server.Socket())
		if err != nil {
			return
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		to = &upstream{conn: conn, r: reader{r: bufio.NewReader(conn)}}
	}
	from := reader{r: bufio.NewReader(client)}
	for {
		from.raw.Reset()
		value, _, err := from.read()
		words, ok := value.([]any)
		if err != nil || !ok {
			return
		}
		command := make([]string, len(words))
		for i, word := range words {
			command[i], _ = word.(string)
		}
		command[0] = strings.ToUpper(command[0])
		answer := p.handler(ctx, command, func() []byte { return to.ask(from.raw.Bytes()) })
		if len(answer) == 0 {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

// upstream is the proxy's own connection to the server.
type upstream struct {
	conn net.Conn
	r    reader
}

// ask returns the bytes of the answer, and none if there is no answer.
func (u *upstream) ask(command []byte) []byte {
	if u.conn == nil {
		return nil
	}
	u.r.raw.Reset()
	if _, err := u.conn.Write(command); err != nil {
		return nil
	}
	for {
		_, kind, err := u.r.read()
		if err != nil {
			return nil
		}
		if kind != '>' {
			return append([]byte(nil), u.r.raw.Bytes()...)
		}
	}
}
