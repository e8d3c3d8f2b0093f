package server

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"context"
)

// A web page of another site can send requests, but not without these headers.
func TestPagesOfOtherSites(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/k", "v").is(204)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "http://evil.example"},
		{"Origin", "null"},
	} {
		s.do("PUT", "/v1/cache/k", "evil", header...).problem(403, "cross_origin")
		s.do("DELETE", "/v1/cache/k", "", header...).problem(403, "cross_origin")
		s.do("POST", "/v1/cache/n/increment", "", header...).problem(403, "cross_origin")
		// It may send a GET; what comes back it cannot read.
		if r := s.do("GET", "/v1/cache/k", "", header...).is(200); r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Error("the page may read the value")
		}
	}
	s.do("GET", "/v1/keys", "").has(`{"key":"k"}` + "\n")
	s.do("GET", "/v1/cache/k", "").has("v")
	s.do("PUT", "/v1/cache/k", "own", "Origin", "http://localhost").is(204)
	s.do("PUT", "/v1/cache/k", "own", "Sec-Fetch-Site", "same-origin").is(204)
}

// A page that makes its own name resolve to 127.0.0.1 is stopped by the name.
func TestHostNames(t *testing.T) {
	loopback, other := &net.TCPAddr{IP: net.IPv6loopback}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}
	for _, c := range []struct {
		host  string
		names []string
		over  net.Addr
		ok    bool
	}{
		{"localhost:8380", nil, loopback, true},
		{"LOCALHOST.", nil, loopback, true},
		{"127.0.0.1:8380", nil, loopback, true},
		{"[::1]:8380", nil, loopback, true},
		{"[::1]", nil, loopback, true},
		{"192.0.2.7", nil, loopback, true},
		{"", nil, loopback, true},
		{"evil.example:8380", nil, loopback, false},
		{"localhost.evil.example", nil, loopback, false},
		{"127.0.0.1.evil.example", nil, loopback, false},
		{"cache.internal", nil, loopback, false},
		{"cache.internal:80", []string{"Cache.Internal"}, loopback, true},
		{"evil.example", []string{"cache.internal"}, loopback, false},
		{"cache.internal", nil, other, true},
		{"evil.example", []string{"cache.internal"}, other, false},
		{"cache.internal", []string{"cache.internal"}, other, true},
		{"192.0.2.1", []string{"cache.internal"}, other, true},
		{"anything", nil, &net.UnixAddr{Name: "socket"}, true},
	} {
		h := newHTTP(t, nil, Options{Hosts: c.names})
		for _, method := range []string{"GET", "PUT"} {
			r := httptest.NewRequest(method, "/v1/cache/k", nil)
			r.Host = c.host
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, c.over))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if ok := w.Code != 421; ok != c.ok {
				t.Errorf("%s for %q over %v, known as %q: status %d", method, c.host, c.over, c.names, w.Code)
			}
		}
	}
	// The address of a connection is that of a real one.
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("GET", "/healthz", "", "Host", "evil.example").problem(421, "wrong_host")
}
