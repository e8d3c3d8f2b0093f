package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// session is a client that has connected, and what it is connected to.
type session struct {
	link   *link
	db     int
	client rueidis.Client
	mode   mode
	facts
	scripts
	lasting lasting
	since   time.Time
	losses  atomic.Int64 // of connections

	hub      hub
	tracking sync.Mutex // held while the servers are told to tell of changes, or not to
}

// opened is told of each new connection.
func (s *session) opened() { s.hub.end() }

// lose is told of each connection that was closed. Where there is one only,
// the next call begins anew, with another password and server perhaps; sessions
// with a cluster, or with sentinels, go on without it.
func (s *session) lose() {
	s.losses.Add(1)
	s.hub.end()
	if s.mode == standalone {
		s.link.drop(s)
	}
}

func (s *session) close() { s.client.Close() }

// broke reports whether err, of a call over the session, means that the next
// call should have another. The client of a cluster keeps up with its nodes
// itself.
func (s *session) broke(err error) bool {
	switch redis, ok := rueidis.IsRedisErr(err); {
	case ok:
		first := word(redis.Error())
		return first == "NOAUTH" || first == "WRONGPASS"
	case told(err):
		return false
	case s.mode == cluster:
		return errors.Is(err, rueidis.ErrClosing) || errors.Is(err, rueidis.ErrNoSlot) || errors.Is(err, rueidis.ErrNoAddr)
	}
	return true
}

// demoted reports whether err says that the server is a replica, which it was
// not, or not known to be. Under the same address or by the sentinels a primary
// may be found.
func (s *session) demoted(err error) bool {
	redis, ok := rueidis.IsRedisErr(err)
	return ok && s.mode != cluster && word(redis.Error()) == "READONLY"
}
