package server

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// raw is a connection on which a test writes the bytes itself.
type raw struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

func (s *running) raw() *raw {
	s.t.Helper()
	c, err := s.dial()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return newRaw(s.t, c)
}

func newRaw(t *testing.T, c net.Conn) *raw {
	return &raw{Conn: c, t: t, in: bufio.NewReader(c)}
}

func (c *raw) send(parts ...string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, strings.Join(parts, "")); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// head sends a request's head with a Host, and no body.
func (c *raw) head(line string, header ...string) {
	c.t.Helper()
	c.send(line, " HTTP/1.1\r\nHost: localhost\r\n")
	for _, h := range header {
		c.send(h, "\r\n")
	}
	c.send("\r\n")
}

// answer reads a response with its whole body.
func (c *raw) answer(method string) reply {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("no response: %v", err)
	}
	return readReply(c.t, resp)
}

// ends waits for the server to close the connection.
func (c *raw) ends() {
	c.t.Helper()
	if n, err := io.Copy(io.Discard, c.in); n > 0 || isTimeout(err) {
		c.t.Errorf("the server sent %d bytes more, then %v; want a closed connection", n, err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   string
	cut    error // the body is not whole
	close  bool
}

func readReply(t *testing.T, resp *http.Response) reply {
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	return reply{t, resp.StatusCode, resp.Header, string(body), err, resp.Close}
}

// do sends a request with the path exactly as given.
func (s *running) do(method, path, body string, header ...string) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://localhost", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	path, query, _ := strings.Cut(path, "?")
	req.URL.Opaque, req.URL.RawQuery = path, query
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	r := readReply(s.t, resp)
	if !s.absurd {
		checkDocumented(s.t, method, path, r)
	}
	return r
}

func (r reply) is(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status %d, want %d; body %.300q", r.status, status, r.body)
	}
	if r.cut != nil {
		r.t.Fatalf("the body ended with %v", r.cut)
	}
	return r
}

func (r reply) has(body string) {
	r.t.Helper()
	if r.body != body {
		r.t.Errorf("body %.300q, want %.300q", r.body, body)
	}
}

// problem checks that the reply is a problem document with this status and
// code, whose detail says something.
func (r reply) problem(status int, code string) problem {
	r.t.Helper()
	r.is(status)
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		r.t.Errorf("Content-Type %q, want a problem document", got)
	}
	var p problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		r.t.Fatalf("problem document %q: %v", r.body, err)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(status) || p.Status != status || p.Code != code || p.Detail == "" {
		r.t.Errorf("problem %+v, want status %d and code %q", p, status, code)
	}
	return p
}
