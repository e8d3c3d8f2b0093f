package server

import (
	"context"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

// The log tells of each request, and neither keys nor values.
func TestLog(t *testing.T) {
	log, logger := newLog()
	s := listen(t, newHTTP(t, nil, Options{Logger: logger}))
	s.do("PUT", "/v1/cache/secretkey?ttl=1h", "secretvalue").is(204)
	s.do("GET", "/v1/cache/secretkey", "").is(200)
	s.do("GET", "/v1/keys?prefix=secret", "").is(200)
	s.do("PUT", "/v1/cache/secretkey?ttl=secret", "secretvalue").is(400)
	s.do("POST", "/v1/cache/secretkey/increment", "").is(409)
	s.do("GET", "/secret", "").is(404)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	text := log.String()
	for _, want := range []string{
		"level=DEBUG msg=\"http request\" method=PUT route=/v1/cache/{key} status=204 took=",
		"method=GET route=/v1/cache/{key} status=200",
		"route=/v1/keys status=200",
		"status=400",
		"method=POST route=/v1/cache/{key}/increment status=409",
		"key_bytes=9",
		"status=404",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the log has no %q", want)
		}
	}
	if strings.Count(text, "\n") != 6 || strings.Contains(text, "secret") || strings.Contains(text, "ERROR") {
		t.Errorf("the log tells too much:\n%s", text)
	}
}

func TestPanicIsLogged(t *testing.T) {
	log, logger := newLog()
	fake := newFake(t)
	fake.get = func(context.Context, string) (cache.Entry, bool, error) { panic("kaput") }
	s := listen(t, newHTTP(t, fake, Options{Logger: logger}))
	c := s.raw()
	c.head("GET /v1/cache/k")
	c.ends()
	s.do("PUT", "/v1/cache/k", "v").is(204) // the server lives
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "kaput") || !strings.Contains(text, "log_test.go") {
		t.Errorf("the log has no panic with its stack:\n%s", text)
	}
}
