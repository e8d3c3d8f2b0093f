package server

import (
	"strings"
	"testing"
)

// What a request has beyond what is done is refused, and nothing is done.
func TestRefusedFields(t *testing.T) {
	const date = "Sun, 06 Nov 1994 08:49:37 GMT"
	s := listen(t, newHTTP(t, nil, Options{}))
	for _, c := range []struct {
		request, field string
		status         int
		code           string
	}{
		{"PUT /v1/cache/k", "Content-Range: bytes 5-8/9", 400, "unexpected_range"},
		{"PUT /v1/cache/k", "Content-Range: bytes 0-3/4", 400, "unexpected_range"},
		{"PUT /v1/cache/k", "Content-Type: multipart/byteranges; boundary=x", 400, "unexpected_range"},
		{"PUT /v1/cache/k", "Range: bytes=0-3", 400, "unexpected_range"},
		{"DELETE /v1/cache/k", "Range: bytes=0-3", 400, "unexpected_range"},
		{"POST /v1/cache/n/increment", "Content-Range: bytes 0-0/1", 400, "unexpected_range"},
		{"PUT /v1/cache/k", "If-Unmodified-Since: " + date, 501, "unsupported_condition"},
		{"PUT /v1/cache/k", "If-Modified-Since: " + date, 501, "unsupported_condition"},
		{"DELETE /v1/cache/k", "If-Unmodified-Since: " + date, 501, "unsupported_condition"},
		{"GET /v1/cache/k", "If-Modified-Since: " + date, 501, "unsupported_condition"},
		{"GET /v1/cache/k", "If-Unmodified-Since: " + date, 501, "unsupported_condition"},
		{"PUT /v1/cache/k", "If-Range: \"x\"", 501, "unsupported_condition"},
		{"PUT /v1/cache/k", "If: (<urn:uuid:1>)", 501, "unsupported_condition"},
		{"PUT /v1/cache/k", "If-Schedule-Tag-Match: \"x\"", 501, "unsupported_condition"},
		{"POST /v1/cache/n/increment", "If-Match: *", 501, "unsupported_condition"},
		{"POST /v1/cache/n/increment", "If-None-Match: *", 501, "unsupported_condition"},
		{"GET /v1/keys", "If-None-Match: \"x\"", 501, "unsupported_condition"},
		{"GET /readyz", "If-Modified-Since: " + date, 501, "unsupported_condition"},
		{"PUT /v1/cache/k", "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==", 501, "unsupported_field"},
		{"PUT /v1/cache/k", "Content-Digest: sha-256=:AAAA:", 501, "unsupported_field"},
		{"PUT /v1/cache/k", "Repr-Digest: sha-256=:AAAA:", 501, "unsupported_field"},
		{"POST /v1/cache/n/increment", "X-HTTP-Method-Override: DELETE", 400, "unsupported_field"},
		{"PUT /v1/cache/k", "Harpia-Expires: 2030-01-01T00:00:00Z", 400, "unsupported_field"},
		{"PUT /v1/cache/k", "Harpia-TTL: 30s", 400, "unsupported_field"},
	} {
		t.Run(c.request+" "+c.field, func(t *testing.T) {
			s.do("PUT", "/v1/cache/k", "before").is(204)
			method, _, _ := strings.Cut(c.request, " ")
			conn := s.raw()
			if method == "PUT" {
				conn.head(c.request, c.field, "Content-Length: 4", "Expect: 100-continue")
			} else {
				conn.head(c.request, c.field)
			}
			name, _, _ := strings.Cut(c.field, ":")
			if p := conn.answer(method).problem(c.status, c.code); !strings.Contains(strings.ToLower(p.Detail), strings.ToLower(name)) {
				t.Errorf("detail %q does not name %s", p.Detail, name)
			}
			s.do("GET", "/v1/cache/k", "").is(200).has("before")
			s.do("GET", "/v1/cache/n", "").is(404)
		})
	}
	// Of several, the answer names the same one each time.
	for range 20 {
		p := s.do("PUT", "/v1/cache/k", "v", "Range", "bytes=0-1", "If", "x", "Harpia-X", "1", "Content-Range", "bytes 0-0/1").problem(400, "unexpected_range")
		if !strings.HasPrefix(p.Detail, "Content-Range ") {
			t.Fatalf("detail %q", p.Detail)
		}
	}
}

// By RFC 9110 these change nothing where they are, and must be ignored.
func TestFieldsWithoutMeaning(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/k", "v").is(204)
	tag := tagOfText("v")
	s.do("GET", "/v1/cache/k", "", "If-None-Match", `"x"`, "If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT").is(200)
	s.do("PUT", "/v1/cache/k", "v", "If-Match", tag, "If-Unmodified-Since", "never").is(204)
	s.do("GET", "/v1/keys", "", "Range", "bytes=0-1").is(200).has(`{"key":"k"}` + "\n")
	s.do("GET", "/v1/cache/k", "", "Content-Type", "text/plain").is(200)
}

// A body where none belongs may hold what the client wants: it is not thrown
// away in silence.
func TestUnexpectedBody(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/k", "v").is(204)
	for _, request := range []string{
		"POST /v1/cache/n/increment", "GET /v1/cache/k", "HEAD /v1/cache/k", "DELETE /v1/cache/k",
		"GET /v1/keys", "GET /healthz", "GET /readyz",
	} {
		method, _, _ := strings.Cut(request, " ")
		for _, length := range []string{"Content-Length: 7", "Transfer-Encoding: chunked"} {
			conn := s.raw()
			conn.head(request, length) // the answer does not wait for it
			r := conn.answer(method)
			if method == "HEAD" {
				r.is(400)
			} else {
				r.problem(400, "unexpected_body")
			}
			if !r.close {
				t.Errorf("%s, %s: the connection is kept, though where the body ends is not known", request, length)
			}
		}
		conn := s.raw()
		conn.head(request, "Content-Length: 0") // is no body
		if r := conn.answer(method); r.status >= 400 && method != "DELETE" && r.status != 404 {
			t.Errorf("%s without a body: status %d", request, r.status)
		}
		s.do("PUT", "/v1/cache/k", "v").is(204)
	}
	s.do("GET", "/v1/cache/k", "").is(200).has("v")
	s.do("GET", "/v1/cache/n", "").is(200).has("1") // of the request without a body
}
