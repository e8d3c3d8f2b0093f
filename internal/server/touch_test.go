package server

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inBubble(t, newHTTP(t, nil, Options{}))
		s.do("PATCH", "/v1/cache/k?ttl=1h", "").problem(404, "not_found")
		s.do("PUT", "/v1/cache/k?ttl=1m", "v").is(204)
		before := s.do("GET", "/v1/cache/k", "").is(200)
		s.do("PATCH", "/v1/cache/k?ttl=1h", "").is(204).has("")
		time.Sleep(time.Minute)
		after := s.do("GET", "/v1/cache/k", "").is(200)
		after.has("v")
		if after.header.Get("Etag") != before.header.Get("Etag") || after.header.Get("Expires") == before.header.Get("Expires") {
			t.Errorf("before %v, after %v", before.header, after.header)
		}
		s.do("PATCH", "/v1/cache/k?ttl=0", "").is(204)
		if e := s.do("GET", "/v1/cache/k", "").is(200).header.Get("Expires"); e != "" {
			t.Errorf("expires %s, want never", e)
		}
		s.do("PATCH", "/v1/cache/k?ttl=1ms", "").is(204)
		time.Sleep(time.Millisecond)
		s.do("GET", "/v1/cache/k", "").is(404)
		s.do("PUT", "/v1/cache/k", "v").is(204)
		for query, code := range map[string]string{
			"": "invalid_ttl", "?ttl=": "invalid_ttl", "?ttl=-1s": "invalid_ttl", "?ttl=1": "invalid_ttl", "?tll=1s": "invalid_query", "?ttl=1s&ttl=1s": "invalid_query",
		} {
			s.do("PATCH", "/v1/cache/k"+query, "").problem(400, code)
		}
		s.do("PATCH", "/v1/cache/k?ttl=1s", "value").problem(400, "unexpected_body")
		s.do("PATCH", "/v1/cache/k?ttl=1s", "", "If-Match", "*").problem(501, "unsupported_condition")
		if e := s.do("GET", "/v1/cache/k", "").is(200).header.Get("Expires"); e != "" {
			t.Errorf("what was refused has changed the expiry to %s", e)
		}
	})
	s := listen(t, newHTTP(t, threeMethods{newFake(t)}, Options{}))
	s.do("PUT", "/v1/cache/k", "v").is(204)
	s.do("PATCH", "/v1/cache/k?ttl=1s", "").problem(501, "unsupported")
	s.do("PATCH", "/v1/cache/k?ttl=1s", "", "Origin", "http://evil.example").problem(403, "cross_origin")
}
