package main

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/redis/rueidis"
)

// ringScale is the size of the queue of a connection, as a power of two. It
// holds all calls that may be under way, so that none waits for a place: that
// wait would know no context.
const ringScale = 11

// options are those of every client. One connection a server carries all
// calls: what a watch is told leaves out what came over its own connection.
//
// Nothing is tried again behind the store's back, and a call that is given up
// never breaks the connection of the others (AlwaysPipelining).
func (c *config) options(addresses []string) (rueidis.ClientOption, error) {
	password, err := c.currentPassword()
	if err != nil {
		return rueidis.ClientOption{}, err
	}
	// KeepAlive is also how long a connection is silent before it is tested with
	// a PING, and ConnWriteTimeout how long that may take: behind an answer of
	// the largest size too.
	dialer := net.Dialer{Timeout: c.timeout, KeepAlive: c.timeout}
	return rueidis.ClientOption{
		InitAddress:       addresses,
		Username:          c.username,
		Password:          password,
		SelectDB:          c.db,
		ClientName:        c.clientName,
		ClientSetInfo:     rueidis.DisableClientSetInfo,
		DialCtxFn:         c.dial,
		Dialer:            dialer,
		ConnWriteTimeout:  c.longest(),
		RingScaleEachConn: ringScale,
		PipelineMultiplex: -1,
		AlwaysPipelining:  true,
		DisableRetry:      true,
		DisableCache:      true,
	}, nil
}

// dial connects to one server. rueidis leaves TLS to it as well.
func (c *config) dial(ctx context.Context, address string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
	if !c.secure {
		return d.DialContext(ctx, c.network, address)
	}
	conf, err := c.tls.load()
	if err != nil {
		return nil, err
	}
	conf.ServerName = serverName(address, c.addresses)
	return (&tls.Dialer{NetDialer: d, Config: conf}).DialContext(ctx, c.network, address)
}
