package server

import (
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

func FuzzKey(f *testing.F) {
	for _, key := range []string{"", "a", ".", "..", "a/b", "\x00", "\xff\xfe", "é", "%2F", "a b+c?d#e;f&g", "user:1@x~-_"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		encoded := encodeKey(key)
		if got, err := decodeKey(encoded); err != nil || got != key {
			t.Fatalf("decodeKey(%q) = %q, %v; want %q", encoded, got, err, key)
		}
		if encoded == "." || encoded == ".." || strings.ContainsAny(encoded, "/?#&+;\"\\ <>") || strings.ToValidUTF8(encoded, "?") != encoded {
			t.Fatalf("%q is encoded as %q, which is no plain segment", key, encoded)
		}
		// In a query it means the same.
		if values, err := url.ParseQuery("prefix=" + encoded); err != nil || values.Get("prefix") != key {
			t.Fatalf("as a query parameter %q is %q, %v", encoded, values.Get("prefix"), err)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, path := range []string{"/v1/cache/a", "/v1/cache/%2F", "/v1/cache/a/increment", "/v1/cache//increment", "/v1/cache/%", "http://h/v1/cache/a?b", "*", "/v1/cache/a\"%2F", ""} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RequestURI = path
		rt, key, err := findRoute(r)
		if err != nil {
			if problemOf(err).Status >= 500 {
				t.Fatalf("%q is the server's fault: %v", path, err)
			}
			return
		}
		if strings.Contains(rt.pattern, "{key}") {
			if err := cache.CheckKey(key); err != nil {
				t.Fatalf("%q passed: %v", path, err)
			}
		}
	})
}

// Every byte string is a key, whatever it looks like in a path.
func TestAnyKey(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	keys := []string{
		"increment", ".", "..", "...", "/", "//", "a/b", "../keys", "/increment", "a/increment", "%", "%2F", "+", " ", "?", "#", ";", "&=",
		"\x00", "\xff\xfe\x80", "é", "日本", "user:1@x", "\r\n", `"`, "keys", "http://x/",
	}
	for i, key := range keys {
		s.do("PUT", "/v1/cache/"+encodeKey(key), strings.Repeat("x", i)).is(204)
	}
	for i, key := range keys {
		s.do("GET", "/v1/cache/"+encodeKey(key), "").is(200).has(strings.Repeat("x", i))
	}
	if got := len(listed(t, s, "")); got != len(keys) {
		t.Errorf("%d different keys were stored as %d", len(keys), got)
	}
	for _, key := range keys {
		s.do("PUT", "/v1/cache/"+encodeKey(key), "7").is(204)
		s.do("POST", "/v1/cache/"+encodeKey(key)+"/increment", "").is(200).has(`{"value":8,"expires":null}` + "\n")
		s.do("DELETE", "/v1/cache/"+encodeKey(key), "").is(204)
		s.do("GET", "/v1/cache/"+encodeKey(key), "").is(404)
	}
}

// Other spellings of the same bytes, and bytes that should have been encoded,
// sent without a client that would tidy them.
func TestRawPaths(t *testing.T) {
	c := newCache(t, cache.Options{})
	s := listen(t, newHTTP(t, nil, Options{Cache: c}))
	conn := s.raw()
	for _, p := range []struct{ path, key string }{
		{"/v1/cache/%61%3a%3A", "a::"},
		{"/v1/cache/.", "."},
		{"/v1/cache/..", ".."},
		{"/v1/cache/%2e%2E", ".."},
		{"/v1/cache/a+b", "a+b"},
		{"/v1/cache/a%2Fb\"<>", "a/b\"<>"},
		{"/v1/cache/\xff\x80", "\xff\x80"},
		{"/v1/cache/increment", "increment"},
		{"http://localhost/v1/cache/absolute%2Fform\"", "absolute/form\""},
	} {
		conn.head("PUT "+p.path, "Content-Length: 1")
		conn.send("v")
		conn.answer("PUT").is(204)
		if _, ok, err := c.Get(t.Context(), p.key); !ok || err != nil {
			t.Errorf("PUT %q: key %q: %v, %v", p.path, p.key, ok, err)
		}
	}
	for _, p := range []struct{ path, code string }{
		{"/v1/cache/", "invalid_key"},
		{"/v1/cache/a/b", "invalid_path"},
		{"/v1/cache/a/", "invalid_path"},
		{"/v1/cache//a", "invalid_path"},
		{"/v1/cache/../keys", "invalid_path"},
		{"/v1/cache/a/increment/", "invalid_path"},
	} {
		conn.head("GET " + p.path)
		conn.answer("GET").problem(400, p.code)
	}
	for _, path := range []string{"//v1/cache/k", "*", "/v1/x/../cache/k", "http://localhost"} {
		conn.head("GET " + path)
		conn.answer("GET").problem(404, "no_such_path")
	}
	conn.head("POST /v1/cache//increment")
	conn.answer("POST").problem(400, "invalid_key")
	conn.head("POST /v1/cache/a/b/increment")
	if p := conn.answer("POST").problem(400, "invalid_path"); !strings.Contains(p.Detail, "%2F") {
		t.Errorf("detail %q does not say how to write a slash", p.Detail)
	}
}

func TestLongKeys(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	key := make([]byte, cache.MaxKey)
	for i := range key {
		key[i] = byte(rand.Uint32()) | 0x80 // encoded in three characters each
	}
	longest := "/v1/cache/" + encodeKey(string(key))
	s.do("PUT", longest, "v").is(204)
	s.do("GET", longest, "").is(200).has("v")
	s.do("PUT", longest+"x", "v").problem(400, "invalid_key")

	conn := s.raw()
	conn.head("GET /v1/cache/" + strings.Repeat("a", 4*cache.MaxKey))
	conn.answer("GET").problem(431, "head_too_large")
	conn.ends()
}
