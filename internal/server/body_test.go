package server

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func TestBodyLimit(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{MaxValue: 100}))
	s.do("PUT", "/v1/cache/k", strings.Repeat("x", 100)).is(204)
	s.do("PUT", "/v1/cache/k", strings.Repeat("y", 101)).problem(413, "too_large")
	for _, c := range []struct {
		size, status int
	}{{0, 204}, {1, 204}, {100, 204}, {101, 413}, {10_000, 413}} {
		t.Run(fmt.Sprint(c.size, " in chunks"), func(t *testing.T) {
			conn := s.raw()
			conn.head("PUT /v1/cache/chunked", "Transfer-Encoding: chunked")
			for left := c.size; left > 0; left -= min(left, 7) {
				n := min(left, 7)
				conn.send(strconv.FormatInt(int64(n), 16), "\r\n", strings.Repeat("c", n), "\r\n")
			}
			conn.send("0\r\n\r\n")
			conn.answer("PUT").is(c.status)
			if c.status == 204 {
				s.do("GET", "/v1/cache/chunked", "").is(200).has(strings.Repeat("c", c.size))
			}
		})
	}
	// A refused value leaves the one before.
	s.do("GET", "/v1/cache/k", "").has(strings.Repeat("x", 100))
	s.do("GET", "/v1/cache/chunked", "").has(strings.Repeat("c", 100))
}

// What is known to be refused is refused before the client sends its body.
func TestRefusedBeforeTheBody(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{MaxValue: 1000, Timeouts: Timeouts{Lag: time.Second / 10}}))
	for _, c := range []struct {
		path, length string
		status       int
		code         string
	}{
		{"/v1/cache/k", "1001", 413, "too_large"},
		{"/v1/cache/k", "9223372036854775807", 413, "too_large"},
		{"/v1/cache/k?ttl=x", "10", 400, "invalid_ttl"},
		{"/v1/cache/k?ttl=-1s", "10", 400, "invalid_ttl"},
		{"/v1/cache/k?tll=1s", "10", 400, "invalid_query"},
		{"/v1/cache/", "10", 400, "invalid_key"},
		{"/v1/cache/a/b", "10", 400, "invalid_path"},
		{"/v1/keys", "10", 405, "method_not_allowed"},
	} {
		t.Run(c.path+" "+c.length, func(t *testing.T) {
			conn := s.raw()
			conn.head("PUT "+c.path, "Expect: 100-continue", "Content-Length: "+c.length)
			conn.answer("PUT").problem(c.status, c.code) // and no 100 before it
			conn.ends()
		})
	}
	t.Run("without Expect", func(t *testing.T) {
		conn := s.raw()
		conn.head("PUT /v1/cache/k", "Content-Length: 1099511627776")
		conn.answer("PUT").problem(413, "too_large")
		conn.ends()
	})
}

func TestExpectContinue(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	conn := s.raw()
	for range 2 { // the connection is kept
		conn.head("PUT /v1/cache/k", "Expect: 100-continue", "Content-Length: 5")
		conn.answer("PUT").is(100)
		conn.send("hello")
		conn.answer("PUT").is(204)
	}
	s.do("GET", "/v1/cache/k", "").has("hello")
}

// A body that is not whole is not a value.
func TestTruncatedBody(t *testing.T) {
	type halfCloser interface{ CloseWrite() error }
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/k", "before").is(204)
	for name, sent := range map[string][2]string{
		"a length":             {"Content-Length: 100", "half"},
		"a large length":       {"Content-Length: 1000000", strings.Repeat("x", 200_000)},
		"within a chunk":       {"Transfer-Encoding: chunked", "64\r\nhalf"},
		"after a chunk":        {"Transfer-Encoding: chunked", "4\r\nhalf\r\n"},
		"before the last line": {"Transfer-Encoding: chunked", "4\r\nhalf\r\n0\r\n"},
		"no chunk":             {"Transfer-Encoding: chunked", "xyz\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.raw()
			conn.head("PUT /v1/cache/k", sent[0])
			conn.send(sent[1])
			if err := conn.Conn.(halfCloser).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			conn.answer("PUT").problem(400, "broken_body")
			conn.ends()
			s.do("GET", "/v1/cache/k", "").is(200).has("before")
		})
	}
}

// endless is a body without an end that counts what is taken of it.
type endless struct{ taken int }

func (e *endless) Read(p []byte) (int, error) {
	e.taken += len(p)
	return len(p), nil
}

func TestBodyOverTheLimitIsNotRead(t *testing.T) {
	const limit = 100 << 10
	h := newHTTP(t, nil, Options{MaxValue: limit})
	for _, c := range []struct {
		length int64
		want   int
	}{
		{limit + 1, 0},
		{-1, limit + 1},
	} {
		body := new(endless)
		r := httptest.NewRequest("PUT", "/v1/cache/k", body)
		r.ContentLength = c.length
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 413 || body.taken != c.want {
			t.Errorf("a body of length %d: status %d after %d bytes; want 413 after %d", c.length, w.Code, body.taken, c.want)
		}
	}
}

// Clients that claim long bodies and send none must not cost what they claim.
func TestClaimedLengthCostsNothing(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 50 {
		conn := s.raw()
		conn.head("PUT /v1/cache/k", "Expect: 100-continue", "Content-Length: "+strconv.Itoa(cache.DefaultMaxValue))
		conn.answer("PUT").is(100) // the server reads the body now
		defer conn.Close()
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 50<<20 {
		t.Errorf("50 clients that sent nothing cost %d MiB", used>>20)
	}
}

// While large values are on their way there is room for small ones only.
func TestAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const large = 1 << 20
		s := inBubble(t, newHTTP(t, nil, Options{MaxValue: large, Admission: NewAdmission(large, nil)}))
		body := strings.Repeat("x", large)
		first := s.raw()
		first.head("PUT /v1/cache/first", "Content-Length: "+strconv.Itoa(large))
		first.send(body[1:])
		synctest.Wait()

		second := s.raw()
		second.head("PUT /v1/cache/second", "Content-Length: "+strconv.Itoa(large))
		go io.WriteString(second, body) // which the server does not read to the end
		r := second.answer("PUT")
		r.problem(503, "busy")
		if r.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		s.do("PUT", "/v1/cache/small", body[:uncounted]).is(204)
		s.do("GET", "/v1/cache/small", "").is(200)

		first.send("x")
		first.answer("PUT").is(204)
		s.do("PUT", "/v1/cache/second", body).is(204)

		// A reader who takes his time holds as much.
		reader := s.raw()
		reader.head("GET /v1/cache/first")
		synctest.Wait()
		s.do("GET", "/v1/cache/second", "").problem(503, "busy")
		s.do("GET", "/v1/cache/small", "").is(200)
		reader.answer("GET").is(200).has(body)
		s.do("GET", "/v1/cache/second", "").is(200).has(body)
	})
}

// The client may go while the store works: the store is told.
func TestClientGoes(t *testing.T) {
	entered, left := make(chan struct{}), make(chan error, 1)
	fake := newFake(t)
	fake.set = func(ctx context.Context, _ string, _ cache.Entry) error {
		close(entered)
		err := hang(ctx)
		left <- err
		return err
	}
	log, logger := newLog()
	s := listen(t, newHTTP(t, fake, Options{Logger: logger}))
	conn := s.raw()
	conn.head("PUT /v1/cache/k", "Content-Length: 1")
	conn.send("v")
	<-entered
	conn.Close()
	if err := <-left; err != context.Canceled {
		t.Errorf("the store's context ended with %v", err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("a client that went is logged as an error:\n%s", log)
	}
}
