package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// quick are timeouts of different lengths, so that a test knows which one it
// saw.
var quick = Timeouts{
	Header: 2 * time.Second, Idle: 5 * time.Second, Store: 3 * time.Second,
	Lag: 7 * time.Second, MinRate: 1000, Drain: 11 * time.Second,
}

// elapses checks that f takes want of a bubble's time.
func elapses(t *testing.T, want time.Duration, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took != want {
		t.Errorf("took %v, want %v", took, want)
	}
}

func TestSlowHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inBubble(t, newHTTP(t, nil, Options{Timeouts: quick}))
		c := s.raw()
		c.send("GET /v1/cache/k HTTP/1.1\r\nHo")
		elapses(t, quick.Header, func() { c.answer("GET").problem(408, "slow_head") })
		elapses(t, 0, c.ends)
	})
}

func TestIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inBubble(t, newHTTP(t, nil, Options{Timeouts: quick}))
		c := s.raw()
		c.head("GET /healthz")
		c.answer("GET").is(200)
		elapses(t, quick.Idle, c.ends)
	})
}

// A client that sends nothing, or one byte a second, is cut off after Lag,
// whatever length it claims, and nothing is stored.
func TestSlowBody(t *testing.T) {
	for _, header := range []string{"Content-Length: 60000000", "Content-Length: 9", "Transfer-Encoding: chunked"} {
		for _, trickle := range []bool{false, true} {
			t.Run(header+" "+strconv.FormatBool(trickle), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHTTP(t, nil, Options{Timeouts: quick})
					s := inBubble(t, h)
					c := s.raw()
					c.head("PUT /v1/cache/k", header)
					start := time.Now()
					var client sync.WaitGroup
					if trickle {
						client.Go(func() {
							for err := error(nil); err == nil; time.Sleep(time.Second) {
								_, err = c.Write([]byte("1"))
							}
						})
					}
					c.answer("PUT").problem(408, "slow_body")
					if took := time.Since(start); took < quick.Lag || took > quick.Lag+time.Second {
						t.Errorf("answered after %v, want %v", took, quick.Lag)
					}
					c.Close()
					client.Wait()
					if _, ok, _ := h.cache.Get(t.Context(), "k"); ok {
						t.Error("a value was stored")
					}
				})
			})
		}
	}
}

// A client that keeps MinRate is served to the end, however long it takes.
func TestSteadyBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inBubble(t, newHTTP(t, nil, Options{Timeouts: quick}))
		c := s.raw()
		const seconds = 600
		c.head("PUT /v1/cache/k", "Content-Length: "+strconv.Itoa(seconds*quick.MinRate))
		part := strings.Repeat("x", quick.MinRate)
		for range seconds {
			time.Sleep(time.Second)
			c.send(part)
		}
		c.answer("PUT").is(204)
		// And it has earned no right to stop.
		c.head("PUT /v1/cache/k", "Content-Length: "+strconv.Itoa(seconds*quick.MinRate))
		for range seconds / 2 {
			c.send(part)
		}
		elapses(t, quick.Lag, func() { c.answer("PUT").problem(408, "slow_body") })
	})
}

// The time that the store takes is not the client's: with a body read in time
// the deadline of the body must not end the request.
func TestSlowStoreAfterBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timeouts := quick
		timeouts.Store = 20 * time.Second // more than Lag
		fake := newFake(t)
		fake.set = func(ctx context.Context, key string, e cache.Entry) error {
			select {
			case <-time.After(19 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		s := inBubble(t, newHTTP(t, fake, Options{Timeouts: timeouts}))
		c := s.raw()
		c.head("PUT /v1/cache/k", "Content-Length: 1")
		c.send("v")
		elapses(t, 19*time.Second, func() { c.answer("PUT").is(204) })
	})
}

// A reader that stops is cut off; so is what it holds.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHTTP(t, nil, Options{Timeouts: quick})
		value := make([]byte, 2*writeChunk)
		if err := h.cache.Set(t.Context(), "k", value); err != nil {
			t.Fatal(err)
		}
		s := inBubble(t, h)
		c := s.raw()
		c.head("GET /v1/cache/k")
		resp, err := http.ReadResponse(c.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(quick.Lag + quick.transfer(writeChunk) + time.Second)
		if r := readReply(t, resp); r.cut == nil {
			t.Errorf("all %d bytes came though the reader slept", len(r.body))
		}
	})
}

func TestSteadyReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHTTP(t, nil, Options{Timeouts: quick})
		value := make([]byte, 600*quick.MinRate)
		if err := h.cache.Set(t.Context(), "k", value); err != nil {
			t.Fatal(err)
		}
		s := inBubble(t, h)
		c := s.raw()
		c.head("GET /v1/cache/k")
		resp, err := http.ReadResponse(c.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		part, got := make([]byte, quick.MinRate), 0
		for err == nil {
			var n int
			n, err = resp.Body.Read(part)
			got += n
			time.Sleep(time.Duration(n) * time.Second / time.Duration(quick.MinRate))
		}
		if got != len(value) {
			t.Errorf("%d of %d bytes, then %v", got, len(value), err)
		}
	})
}

// The answers that net/http gives itself wait for a reader no longer.
func TestReaderOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inBubble(t, newHTTP(t, nil, Options{Timeouts: quick}))
		c := s.raw()
		c.send("GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		time.Sleep(quick.Lag)
		synctest.Wait()
		c.ends()
	})
}

func TestHangingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		fake.get = func(ctx context.Context, _ string) (cache.Entry, bool, error) { return cache.Entry{}, false, hang(ctx) }
		fake.set = func(ctx context.Context, _ string, _ cache.Entry) error { return hang(ctx) }
		fake.increment = func(ctx context.Context) (int64, time.Time, error) { return 0, time.Time{}, hang(ctx) }
		status := func(ctx context.Context) Status { return Status{State: "failed", Error: hang(ctx).Error()} }
		s := inBubble(t, newHTTP(t, fake, Options{Timeouts: quick, Status: status}))
		elapses(t, quick.Store, func() { s.do("GET", "/v1/cache/k", "").problem(504, "timeout") })
		elapses(t, quick.Store, func() { s.do("PUT", "/v1/cache/k", "v").problem(504, "timeout") })
		elapses(t, quick.Store, func() { s.do("POST", "/v1/cache/k/increment", "").problem(504, "timeout") })
		elapses(t, quick.Store, func() { s.do("GET", "/readyz", "").is(503) })
		elapses(t, 0, func() { s.do("GET", "/healthz", "").is(200) })
	})
}

// A body that nobody reads holds the answer up for no time, or for a short
// one: without Expect the client might not look for an answer before it has
// sent all.
func TestUnreadBodyThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inBubble(t, newHTTP(t, nil, Options{Timeouts: quick, MaxValue: 9}))
		c := s.raw()
		c.head("GET /healthz", "Content-Length: 5")
		elapses(t, 0, func() { c.answer("GET").problem(400, "unexpected_body") })
		elapses(t, unread, c.ends)

		c = s.raw()
		c.head("PUT /v1/cache/k?ttl=x", "Content-Length: 5")
		elapses(t, unread, func() { c.answer("PUT").is(400) })
		elapses(t, 0, c.ends)

		c = s.raw()
		c.head("PUT /v1/cache/k", "Content-Length: 10", "Expect: 100-continue")
		elapses(t, 0, func() { c.answer("PUT").is(413) })
		elapses(t, unread, c.ends)
	})
}

// The same on a real socket, whose deadlines are the kernel's.
func TestSlowBodyOnASocket(t *testing.T) {
	timeouts := quick
	timeouts.Lag = 50 * time.Millisecond
	s := listen(t, newHTTP(t, nil, Options{Timeouts: timeouts}))
	c := s.raw()
	c.head("PUT /v1/cache/k", "Content-Length: 5")
	c.send("hal")
	c.answer("PUT").problem(408, "slow_body")
	c.ends()
	s.do("GET", "/v1/cache/k", "").is(404)
}
