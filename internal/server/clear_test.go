package server

import (
	"strings"
	"testing"
)

func TestClear(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	keys := []string{"a:1", "a:2", "b:1", "\xff\x00"}
	for _, key := range keys {
		s.do("PUT", "/v1/cache/"+encodeKey(key), "v").is(204)
	}
	// Without the word that fits nothing is removed.
	for query, want := range map[string]string{
		"":                                   "confirm=all-keys",
		"?confirm=":                          "confirm=all-keys",
		"?confirm=yes":                       "confirm=all-keys",
		"?prefix=":                           "confirm=all-keys",
		"?prefix=&confirm=prefix":            "confirm=all-keys",
		"?confirm=prefix":                    "confirm=all-keys",
		"?prefix=a":                          `"a"; nothing was removed; add confirm=prefix`,
		"?prefix=a&confirm=all-keys":         "confirm=prefix",
		"?prefix=a&confirm=PREFIX":           "confirm=prefix",
		"?prefix=%FF%00%0A&confirm=all-keys": `"\xff\x00\n"`,
	} {
		if p := s.do("DELETE", "/v1/keys"+query, "").problem(400, "unconfirmed"); !strings.Contains(p.Detail, want) {
			t.Errorf("%s: detail %q does not have %s", query, p.Detail, want)
		}
	}
	for _, query := range []string{"?prefix=a&confirm=prefix&confirm=prefix", "?prefix=a&prefix=b&confirm=prefix", "?prefx=a&confirm=all-keys"} {
		s.do("DELETE", "/v1/keys"+query, "").problem(400, "invalid_query")
	}
	if got := listed(t, s, ""); len(got) != len(keys) {
		t.Fatalf("%d keys are left of %d", len(got), len(keys))
	}
	s.do("DELETE", "/v1/keys?prefix=a:&confirm=prefix", "").is(204).has("")
	s.do("GET", "/v1/cache/a:1", "").is(404)
	s.do("GET", "/v1/cache/b:1", "").is(200)
	s.do("DELETE", "/v1/keys?confirm=prefix&prefix=%ff%00", "").is(204)
	s.do("GET", "/v1/cache/%FF%00", "").is(404)
	s.do("DELETE", "/v1/keys?confirm=all-keys", "").is(204)
	if got := listed(t, s, ""); len(got) != 0 {
		t.Errorf("%d keys are left", len(got))
	}

	other := listen(t, newHTTP(t, threeMethods{newFake(t)}, Options{}))
	other.do("DELETE", "/v1/keys?confirm=all-keys", "").problem(501, "unsupported")
	s.do("DELETE", "/v1/keys?confirm=all-keys", "", "Origin", "http://evil.example").problem(403, "cross_origin")
}
