package main

import (
	"context"
	"errors"

	"github.com/redis/rueidis"
)

// session is a client that has connected, and what it is connected to.
type session struct {
	client rueidis.Client
	facts
}

func (s *session) close() { s.client.Close() }

// connect makes a session.
func (c *config) connect(context.Context) (*session, error) {
	o, err := c.options(c.addresses)
	if err != nil {
		return nil, err
	}
	o.ForceSingleClient = true
	client, err := rueidis.NewClient(o)
	if err != nil {
		if client != nil {
			client.Close()
		}
		return nil, early(err, c.secure)
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	f, err := identify(ctx, client)
	if err == nil {
		err = f.supported()
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return &session{client, f}, nil
}

// broke reports whether err, of a call over the session, means that the next
// call should have another.
func (s *session) broke(err error) bool {
	if err == nil {
		return false
	}
	if redis, ok := err.(*rueidis.RedisError); ok {
		switch word(redis.Error()) {
		case "NOAUTH", "WRONGPASS":
			return true
		}
		return false
	}
	if s.mode == cluster {
		return errors.Is(err, rueidis.ErrClosing) || errors.Is(err, rueidis.ErrNoSlot) || errors.Is(err, rueidis.ErrNoAddr)
	}
	return true
}
