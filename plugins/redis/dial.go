package main

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// dialer makes the connections of one session.
type dialer struct {
	*config
	session *session // nil: the losses are nobody's concern
}

// dial connects to one server. rueidis leaves TLS to it as well.
func (d dialer) dial(ctx context.Context, address string, with *net.Dialer, _ *tls.Config) (net.Conn, error) {
	c, err := d.connectTo(ctx, address, with)
	if err != nil || d.session == nil {
		return c, err
	}
	d.session.opened()
	return &conn{Conn: c, session: d.session}, nil
}

func (d dialer) connectTo(ctx context.Context, address string, with *net.Dialer) (net.Conn, error) {
	if !d.secure {
		return with.DialContext(ctx, d.network, address)
	}
	conf, err := d.tls.load()
	if err != nil {
		return nil, err
	}
	conf.ServerName = serverName(address, d.addresses)
	return (&tls.Dialer{NetDialer: with, Config: conf}).DialContext(ctx, d.network, address)
}

// conn tells its session when it is closed. rueidis closes a connection as
// soon as it breaks, and connects again by itself.
type conn struct {
	net.Conn
	session *session
	once    sync.Once
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.session.lose() })
	return err
}
