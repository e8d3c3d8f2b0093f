package main

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/harpia-go/harpia/shared"
)

// Who gives up waiting for a server that says nothing does not wait for the
// attempt to connect, however long that may take.
func TestAttemptIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Read(make([]byte, 1)) // HELLO has come
		cancel()
		_, _ = c.Read(make([]byte, 1<<10))
		_, _ = c.Read(make([]byte, 1)) // until it is closed
	}()
	s := &Store{}
	set, err := shared.CheckSettings(s.Describe().Settings, []shared.SettingValue{
		{Name: "url", Value: "redis://" + l.Addr().String()}, {Name: "timeout", Value: "1h"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Configure(ctx, set); !errors.Is(err, context.Canceled) {
		t.Errorf("Configure: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
