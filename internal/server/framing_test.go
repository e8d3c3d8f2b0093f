package server

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The end of a body with two lengths is ambiguous.
func TestConflictingLengths(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/k", "before").is(204)
	for name, c := range map[string]struct{ head, body string }{
		"a length and chunks":       {"PUT /v1/cache/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n0\r\n\r\n"},
		"chunks and a length":       {"PUT /v1/cache/k HTTP/1.1\r\nHost: localhost\r\ntransfer-encoding:chunked\r\ncontent-length:\t11\r\n\r\n", "1\r\nx\r\n0\r\n\r\n"},
		"chunks and no length":      {"PUT /v1/cache/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n0\r\n\r\n"},
		"two lengths":               {"PUT /v1/cache/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "xy"},
		"chunks in HTTP/1.0":        {"PUT /v1/cache/k HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n0\r\n\r\n"},
		"chunks and both, HTTP/1.0": {"PUT /v1/cache/k HTTP/1.0\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "x"},
		"a folded field":            {"PUT /v1/cache/k HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n 1\r\n\r\n", "x"},
		"a folded coding":           {"PUT /v1/cache/k HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\r\n chunked\r\n\r\n", "1\r\nx\r\n0\r\n\r\n"},
		"a length of many digits":   {"PUT /v1/cache/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + strings.Repeat("0", 80) + "1\r\n\r\n", "x"},
		"no length":                 {"PUT /v1/cache/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.raw()
			// A valid request before it, in the same packet, changes nothing.
			conn.send("GET /v1/cache/k HTTP/1.1\r\nHost: localhost\r\n\r\n", c.head, c.body)
			conn.answer("GET").is(200).has("before")
			r := conn.answer("PUT")
			r.problem(400, "bad_request")
			if !r.close {
				t.Error("the connection is kept")
			}
			conn.ends()
			s.do("GET", "/v1/cache/k", "").is(200).has("before")
		})
	}
	// One length twice is one length (RFC 9110, 8.6).
	conn := s.raw()
	conn.head("PUT /v1/cache/k", "Content-Length: 1", "Content-Length: 1")
	conn.send("x")
	conn.answer("PUT").is(204)
}

// HTTP/1.0 has bodies that end with the connection, in answers alone: what
// follows such a head may be meant as a value, and would not be stored.
func TestBodyWithoutALength(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/k", "before").is(204)
	for _, request := range []string{"PUT /v1/cache/k", "POST /v1/mset"} {
		conn := s.raw()
		conn.send(request, " HTTP/1.0\r\n\r\n", `{"key":"k","value":"v"}`)
		conn.answer("PUT").problem(411, "length_required")
		conn.ends()
	}
	s.do("GET", "/v1/cache/k", "").is(200).has("before")
	conn := s.raw()
	conn.send("PUT /v1/cache/k HTTP/1.0\r\nContent-Length: 1\r\n\r\nv")
	conn.answer("PUT").is(204)
	conn = s.raw()
	conn.send("PUT /v1/cache/k HTTP/1.1\r\nHost: localhost\r\n\r\n") // has no body: RFC 9112, 6.3
	conn.answer("PUT").is(204)
}

// What net/http answers by itself, and with text, is a problem document here.
func TestWhatNetHTTPAnswers(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	for _, c := range []struct {
		head   string
		status int
		code   string
		says   string
	}{
		{"GET /v1/cache/a%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "invalid_path", "percent"},
		{"GET /v1/cache/a% HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "invalid_path", "percent"},
		{"GET /v1/cache/a%2 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "invalid_path", "percent"},
		{"GET /v1/cache/a%2?x=%2 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "invalid_path", "percent"},
		{"PUT /v1/cache/%G0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 400, "invalid_path", "percent"},
		{"DELETE /v1/cache/%%30 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "invalid_path", "percent"},
		{"POST /v1/cache/a%/increment HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "invalid_path", "percent"},
		{"GET http://localhost/v1/cache/%z HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "invalid_path", "percent"},
		{"GET /v1/cache/k HTTP/1.1\r\n\r\n", 400, "bad_request", "Host"},
		{"GET /v1/cache/k HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_request", ""},
		{"GET /v1/cache/k HTTP/1.1\r\nHost: localhost\r\nX Y: 1\r\n\r\n", 400, "bad_request", ""},
		{"GET /v1/cache/a b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request", ""},
		{"nonsense\r\n\r\n", 400, "bad_request", ""},
		{"GET /v1/cache/k HTTP/2.0\r\nHost: localhost\r\n\r\n", 505, "http_version", "HTTP/1.1"},
		{"PUT /v1/cache/k HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "unsupported_coding", "chunked"},
		{"PUT /v1/cache/k HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity\r\n\r\n", 501, "unsupported_coding", "chunked"},
		{"PUT /v1/cache/k HTTP/1.1\r\nHost: localhost\r\nExpect: miracles\r\nContent-Length: 0\r\n\r\n", 417, "expectation_failed", "100-continue"},
		{"GET /v1/cache/k HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 2*maxHeader) + "\r\n\r\n", 431, "head_too_large", strconv.Itoa(maxHeader)},
	} {
		name, _, _ := strings.Cut(c.head, "\r\n\r\n")
		t.Run(name[:min(len(name), 80)], func(t *testing.T) {
			for _, before := range []string{"", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"} {
				conn := s.raw()
				conn.send(before, c.head)
				if before != "" {
					conn.answer("GET").is(200).has("ok\n")
				}
				r := conn.answer("GET")
				if p := r.problem(c.status, c.code); !strings.Contains(p.Detail, c.says) {
					t.Errorf("detail %q does not speak of %s", p.Detail, c.says)
				}
				for _, f := range always {
					if r.header.Get(f[0]) != f[1] {
						t.Errorf("%s: %q", f[0], r.header.Get(f[0]))
					}
				}
				if !r.close {
					t.Error("the connection is kept")
				}
				conn.ends()
			}
		})
	}
	conn := s.raw()
	conn.send("HEAD /v1/cache/% HTTP/1.1\r\nHost: localhost\r\n\r\n")
	conn.answer("HEAD").is(400)
	conn.ends()
}

// A value may look like an answer of net/http's: it passes as it is.
func TestValueThatLooksLikeAnAnswer(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	text := "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"
	value := strings.Repeat("x", writeChunk) + text + strings.Repeat(text, writeChunk/len(text)+1)
	s.do("PUT", "/v1/cache/k", value).is(204)
	s.do("PUT", "/v1/cache/l", text).is(204)
	for range 2 {
		s.do("GET", "/v1/cache/k", "").is(200).has(value)
		s.do("GET", "/v1/cache/l", "").is(200).has(text)
	}
}

// Requests that are sent at once are told apart, whatever their bodies look
// like.
func TestPipelinedRequests(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	hidden := "PUT /v1/cache/k HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
	conn := s.raw()
	chunks := func(parts ...string) string {
		var b strings.Builder
		for _, p := range parts {
			b.WriteString(strconv.FormatInt(int64(len(p)), 16) + ";x=y\r\n" + p + "\r\n")
		}
		return b.String() + "0\r\nX-Trailer: \r\n\r\n"
	}
	conn.send(
		"PUT /v1/cache/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: "+strconv.Itoa(len(hidden))+"\r\n\r\n", hidden,
		"PUT /v1/cache/b HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n", chunks(hidden, "\r\n\r\n", hidden),
		"POST /v1/cache/n/increment HTTP/1.1\r\nHost: localhost\r\n\r\n\r\n",
		"PUT /v1/cache/c%2F HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
		"GET /v1/cache/b?%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /v1/cache/b HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"PUT /v1/cache/b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	)
	conn.answer("PUT").is(204)
	conn.answer("PUT").is(204)
	conn.answer("POST").is(200)
	conn.answer("PUT").is(204)
	conn.answer("GET").problem(400, "invalid_query")
	conn.answer("GET").is(200).has(hidden + "\r\n\r\n" + hidden)
	conn.answer("PUT").problem(400, "bad_request") // this one, and none before it
}

// The client sees why, though it has not sent all of its request.
func TestAnswerArrivesBeforeTheEnd(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	conn := s.raw()
	conn.send("PUT /v1/cache/a%zz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n", strings.Repeat("x", 100_000))
	conn.send(strings.Repeat("x", 100_000))
	conn.answer("PUT").problem(400, "invalid_path")
	synctest.Test(t, func(t *testing.T) {
		s := inBubble(t, newHTTP(t, nil, Options{}))
		conn := s.raw()
		conn.send("PUT /v1/cache/a%zz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n")
		conn.answer("PUT").problem(400, "invalid_path")
		elapses(t, lingering, conn.ends) // and no longer
	})
}

func TestHeadThatIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inBubble(t, newHTTP(t, nil, Options{Timeouts: quick}))
		conn := s.raw()
		conn.head("GET /healthz")
		conn.answer("GET").is(200)
		conn.send("GET /v1/cache/k HTTP/1.1\r\nHo")
		time.Sleep(time.Second)
		elapses(t, quick.Header-time.Second, func() { conn.answer("GET").problem(408, "slow_head") })
		elapses(t, 0, conn.ends)
	})
}

// FuzzFraming compares with what net/http takes for the heads of a connection.
func FuzzFraming(f *testing.F) {
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
		"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcDELETE / HTTP/1.0\r\n\r\n",
		"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: x\r\n\r\nGET /%zz HTTP/1.1\r\n\r\n",
		"PUT /a HTTP/1.1\nContent-Length: 1\nTransfer-Encoding: chunked\n\n0\n\n",
		"PUT /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		"PUT /a HTTP/1.1\r\nContent-Length:\r\n 1\r\n\r\nx",
		"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: x\r\n\r\nHEAD / HTTP/1.1\r\n\r\n",
		"\r\nHEAD / HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(text), 7)
	}
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		var whole framing
		whole.see(stream)
		// It is the same however the bytes arrive.
		var parts framing
		for rest := range slices.Chunk(stream, max(1, step&63)) {
			parts.see(rest)
		}
		if !slices.Equal(whole.heads, parts.heads) || whole.at != parts.at || whole.now != parts.now {
			t.Fatalf("%q is %+v at once and %+v in parts", stream, whole, parts)
		}
		in := bufio.NewReader(bytes.NewReader(bytes.TrimLeft(stream, "\r\n")))
		for i := 0; ; i++ {
			r, err := http.ReadRequest(in)
			if err != nil {
				return // net/http reads no further
			}
			h := whole.next()
			if h.refused != "" {
				return // nor are we served further
			}
			if h.brokenPath {
				t.Fatalf("%q: net/http reads the path of request %d, %q", stream, i, r.RequestURI)
			}
			if h.isHEAD != (r.Method == "HEAD") {
				t.Fatalf("%q: request %d is %s, and HEAD: %v", stream, i, r.Method, h.isHEAD)
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			// As net/http does after a POST, or it would fail.
			for {
				if b, err := in.Peek(1); err != nil || b[0] != '\r' && b[0] != '\n' {
					break
				}
				_, _ = in.Discard(1)
			}
		}
	})
}
