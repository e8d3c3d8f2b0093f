package server

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func TestServeEnds(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/k", "v").is(204) // leaves an idle connection
	if err := s.stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if c, err := net.Dial("tcp", s.addr); err == nil {
		c.Close()
		t.Error("the listener is still open")
	}
}

// A PUT that is under way when the end comes is finished, others are refused.
func TestDrain(t *testing.T) {
	h := newHTTP(t, nil, Options{})
	s := listen(t, h)
	c := s.raw()
	c.head("PUT /v1/cache/k", "Expect: 100-continue", "Content-Length: 10")
	c.answer("PUT").is(100) // it is in flight
	c.send("first")
	s.cancel()
	for { // until the listener is closed
		late, err := net.Dial("tcp", s.addr)
		if err != nil {
			break
		}
		late.Close()
	}
	select {
	case err := <-s.result:
		t.Fatalf("Serve ended, with %v, while a request was in flight", err)
	default:
	}
	c.send(" half")
	r := c.answer("PUT").is(204)
	if !r.close {
		t.Error("the connection is kept though the server ends")
	}
	if err := s.stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if v, _, _ := h.cache.Get(t.Context(), "k"); string(v) != "first half" {
		t.Errorf("stored is %q", v)
	}
}

// A PUT that does not come to its end is cut off, and not stored.
func TestDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timeouts := quick
		timeouts.Lag = time.Hour
		h := newHTTP(t, nil, Options{Timeouts: timeouts})
		s := inBubble(t, h)
		c := s.raw()
		c.head("PUT /v1/cache/k", "Content-Length: 10")
		c.send("half")
		synctest.Wait()
		elapses(t, quick.Drain, func() {
			if err := s.stop(); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "server: 1 requests") {
				t.Errorf("Serve: %v", err)
			}
		})
		s.err = nil // it was looked at
		if _, ok, _ := h.cache.Get(t.Context(), "k"); ok {
			t.Error("half a body was stored")
		}
	})
}

// A store's call that outlasts the drain is cancelled.
func TestDrainCancelsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timeouts := quick
		timeouts.Store = time.Hour
		fake := newFake(t)
		fake.get = func(ctx context.Context, _ string) (cache.Entry, bool, error) { return cache.Entry{}, false, hang(ctx) }
		s := inBubble(t, newHTTP(t, fake, Options{Timeouts: timeouts}))
		c := s.raw()
		c.head("GET /v1/cache/k")
		synctest.Wait()
		elapses(t, quick.Drain, func() {
			if err := s.stop(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Serve: %v", err)
			}
		})
		s.err = nil
	})
}

// A store that does not even then end is named, and not waited for.
func TestStoreThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		fake := newFake(t)
		fake.get = func(context.Context, string) (cache.Entry, bool, error) {
			<-release
			return cache.Entry{}, false, nil
		}
		s := inBubble(t, newHTTP(t, fake, Options{Timeouts: quick}))
		c := s.raw()
		c.head("GET /v1/cache/k")
		synctest.Wait()
		elapses(t, quick.Drain+cutOff, func() {
			if err := s.stop(); err == nil || !strings.Contains(err.Error(), "the store ignores its context") {
				t.Errorf("Serve: %v", err)
			}
		})
		s.err = nil
		close(release)
	})
}

func TestServeAfterTheEnd(t *testing.T) {
	h := newHTTP(t, nil, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Serve(ctx, l); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open: %v", err)
	}
}

// A listener that fails ends Serve with its error, after the requests in
// flight.
func TestListenerFails(t *testing.T) {
	h := newHTTP(t, nil, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- h.Serve(t.Context(), l) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn := newRaw(t, c)
	conn.head("PUT /v1/cache/k", "Expect: 100-continue", "Content-Length: 1")
	conn.answer("PUT").is(100)
	l.Close()
	conn.send("v")
	conn.answer("PUT").is(204)
	if err := <-result; !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "server: ") {
		t.Errorf("Serve: %v", err)
	}
}
