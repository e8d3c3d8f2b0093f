package shared

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

// How the two ends of a connection of the lane make sure of each other. Both
// ask the kernel who the other is: the same user, and the very process that
// started this one, or that this one started. Then the host shows the token
// that it was given over mutual TLS: laneMagic, which connection this is, and
// the token; the plugin answers laneMagic.
const (
	laneMagic = "HLN1"
	laneToken = 32
	laneHello = len(laneMagic) + 1 + laneToken
	// laneGreeting bounds the time that this may take.
	laneGreeting = 5 * time.Second
)

// Which connection.
const (
	forSmall = iota
	forLarge
	laneConns
)

// laneOffer is what a plugin offers to its host: a socket for two connections.
type laneOffer struct {
	server *server
	guard  *guard
	host   int // the host's process

	listener *net.UnixListener
	token    [laneToken]byte
	counter  *counter // nil: others change nothing

	mu    sync.Mutex
	taken [laneConns]bool
	conns sync.WaitGroup
}

// offerLane listens in dir, which only this user can enter.
func offerLane(dir string, host int, s *server, g *guard) (*laneOffer, error) {
	if dir == "" || !knowsPeers {
		return nil, errors.ErrUnsupported
	}
	o := &laneOffer{server: s, guard: g, host: host}
	_, _ = rand.Read(o.token[:]) // it never fails
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "lane"), Net: "unix"})
	if err != nil {
		return nil, err
	}
	o.listener = l
	if !s.info.Load().Exclusive {
		if o.counter, err = newCounter(dir, s.store); err != nil {
			g.log.Warn("of calls that are under way when this process is killed, none is made again", "error", err)
		}
	}
	return o, nil
}

func isQuick(s cache.Store) bool {
	q, ok := s.(Quick)
	return ok && q.Quick()
}

func (o *laneOffer) toWire() *storepb.Lane {
	w := &storepb.Lane{Socket: o.listener.Addr().String(), Token: o.token[:]}
	if o.counter != nil {
		w.Sent = o.counter.path
	}
	return w
}

// serve accepts connections until the host has both, and answers on them until
// ctx ends or they do.
func (o *laneOffer) serve(ctx context.Context) {
	defer o.conns.Wait()
	stop := context.AfterFunc(ctx, func() { _ = o.listener.Close() })
	defer stop()
	for {
		conn, err := o.listener.AcceptUnix()
		if err != nil {
			return
		}
		o.conns.Go(func() {
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer stop()
			defer conn.Close()
			which, err := o.greet(conn)
			if err != nil {
				o.guard.log.Warn("a connection to the lane was refused", "error", err)
				return
			}
			s := laneServer{server: o.server, guard: o.guard, conn: conn, longest: laneSmall, which: which, counter: o.counter, quick: isQuick(o.server.store)}
			if which == forLarge {
				s.longest = o.server.info.Load().Limits.MaxValue
			}
			if err := s.serve(ctx); err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
				o.guard.log.Warn("the lane broke", "error", err)
			}
		})
	}
}

// greet makes sure of the host, and says which connection it wants.
func (o *laneOffer) greet(conn *net.UnixConn) (which int, err error) {
	if err := checkPeer(conn, o.host); err != nil {
		return 0, err
	}
	_ = conn.SetDeadline(time.Now().Add(laneGreeting))
	var hello [laneHello]byte
	if _, err := io.ReadFull(conn, hello[:]); err != nil {
		return 0, err
	}
	which = int(hello[len(laneMagic)])
	if string(hello[:len(laneMagic)]) != laneMagic || which >= laneConns ||
		subtle.ConstantTimeCompare(hello[laneHello-laneToken:], o.token[:]) != 1 {
		return 0, errors.New("it does not know the token")
	}
	o.mu.Lock()
	used := o.taken[which]
	o.taken[which] = true
	all := o.taken[forSmall] && o.taken[forLarge]
	o.mu.Unlock()
	if used {
		return 0, errors.New("the token was used before")
	}
	if all {
		_ = o.listener.Close() // and the socket goes
	}
	if _, err := io.WriteString(conn, laneMagic); err != nil {
		return 0, err
	}
	return which, conn.SetDeadline(time.Time{})
}

// OpenLane connects to the lane of the plugin that runs in the process, if it
// offers one: from then on calls on one key take it. It is called after the last
// Describe, before the client is shared. Without a lane, and after an error,
// calls go over gRPC.
func (c *Client) OpenLane(process int) error {
	offer := c.lane
	if offer == nil || !knowsPeers {
		return nil
	}
	var ends [laneConns]*lane
	for which, longest := range [laneConns]int{forSmall: laneSmall, forLarge: c.info.Limits.MaxValue} {
		conn, err := dialLane(offer, which, process)
		if err != nil {
			if which > 0 {
				ends[0].close()
			}
			return fmt.Errorf("shared: the lane of %s: %w", c.info.Name, err)
		}
		ends[which] = newLane(conn, answerHead+max(longest, maxErrorText+4))
		ends[which].count = &c.counts.all[which]
	}
	c.lanes = &lanes{small: ends[forSmall], large: ends[forLarge]}
	return nil
}

func dialLane(offer *storepb.Lane, which, process int) (net.Conn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: offer.GetSocket(), Net: "unix"})
	if err != nil {
		return nil, err
	}
	// Nothing is said to anybody but the plugin.
	err = checkPeer(conn, process)
	if err == nil {
		_ = conn.SetDeadline(time.Now().Add(laneGreeting))
		_, err = conn.Write(append(append([]byte(laneMagic), byte(which)), offer.GetToken()...))
	}
	var magic [len(laneMagic)]byte
	if err == nil {
		_, err = io.ReadFull(conn, magic[:])
	}
	if err == nil && string(magic[:]) != laneMagic {
		err = errFrame
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// Close lets go of the lane. The connection that the client was made on is its
// maker's.
func (c *Client) Close() {
	if c.lanes != nil {
		c.lanes.close()
	}
}

// checkPeer fails unless the other end is the process, and the same user's.
func checkPeer(conn *net.UnixConn, process int) error {
	pid, uid, err := peer(conn)
	switch {
	case err != nil:
		return fmt.Errorf("who is at the other end is not known: %w", err)
	case uid != os.Geteuid():
		return fmt.Errorf("another user is at the other end: %d", uid)
	case pid != process:
		return fmt.Errorf("process %d is at the other end, not %d", pid, process)
	}
	return nil
}
