package main

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// dialer makes the connections of one session.
type dialer struct {
	*config
	session *session // nil: the connections are nobody's concern
}

// dial connects to one server. rueidis leaves TLS to it as well.
func (d dialer) dial(ctx context.Context, address string, with *net.Dialer, _ *tls.Config) (net.Conn, error) {
	c, err := d.connectTo(ctx, address, with)
	if err != nil || d.session == nil {
		return c, err
	}
	d.session.opened()
	return newConn(c, d.timeout, d.sending, d.session.lose), nil
}

func (d dialer) connectTo(ctx context.Context, address string, with *net.Dialer) (net.Conn, error) {
	network := d.network
	if !slices.Contains(d.addresses, address) {
		network = "tcp" // a node of a cluster that was reached over a socket
	}
	if !d.secure {
		c, err := with.DialContext(ctx, network, address)
		return leaveNothing(c), err
	}
	conf, err := d.tls.load()
	if err != nil {
		return nil, err
	}
	conf.ServerName = serverName(address, d.addresses)
	c, err := (&tls.Dialer{NetDialer: with, Config: conf}).DialContext(ctx, network, address)
	if c, ok := c.(*tls.Conn); ok {
		leaveNothing(c.NetConn())
	}
	return c, err
}

// leaveNothing has the system send nothing more when the connection is closed, be
// it by the death of the process. What the server has not been sent by then, it
// must not do after the next process has looked at what it did.
func leaveNothing(c net.Conn) net.Conn {
	if c, ok := c.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	return c
}

// conn is a connection that closes itself when the server takes something and
// says nothing for some time, and tells when it is closed. What calls wait for
// they give up themselves; a watch would wait for ever. rueidis sends a PING
// when it has heard nothing for some time, so there is always something that is
// to be answered.
type conn struct {
	net.Conn
	patience time.Duration
	sending  func() // is called before each write; may be nil
	closed   func()
	once     sync.Once

	asked  atomic.Int64 // when something was written after the last read, in ns since begin; 0: nothing was
	begin  time.Time
	silent *time.Timer // runs listen
	armed  atomic.Bool // it does
	gaveUp atomic.Bool
}

func newConn(c net.Conn, patience time.Duration, sending, closed func()) *conn {
	n := &conn{Conn: c, patience: patience, sending: sending, closed: closed, begin: time.Now()}
	n.silent = time.AfterFunc(patience, n.listen)
	n.silent.Stop()
	return n
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if c.asked.Load() == 0 || len(p) >= partOfValue {
		c.asked.Store(int64(time.Since(c.begin)))
		c.arm(c.patience)
	}
	if c.sending != nil {
		c.sending()
	}
	return c.Conn.Write(p)
}

// partOfValue is what is written at once of a large value only, which the
// server may be busy with for some time.
const partOfValue = 128 << 10

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.asked.Store(0)
	}
	if err != nil && c.gaveUp.Load() {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// arm has the timer run, if it does not yet.
func (c *conn) arm(after time.Duration) {
	if !c.armed.Load() && c.armed.CompareAndSwap(false, true) {
		c.silent.Reset(after)
	}
}

// listen closes the connection if the server has been silent for too long.
func (c *conn) listen() {
	c.armed.Store(false)
	asked := c.asked.Load()
	if asked == 0 {
		return // a write after this arms the timer again
	}
	if left := c.patience - (time.Since(c.begin) - time.Duration(asked)); left > 0 {
		c.arm(left)
		return
	}
	c.gaveUp.Store(true)
	_ = c.Close()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.silent.Stop()
		c.closed()
	})
	return err
}
