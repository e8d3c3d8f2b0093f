package server

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func TestPutGetDelete(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("GET", "/v1/cache/k", "").problem(404, "not_found")
	s.do("DELETE", "/v1/cache/k", "").is(204)

	value := "\x00\xff binary\r\n"
	s.do("PUT", "/v1/cache/k", value).is(204)
	got := s.do("GET", "/v1/cache/k", "").is(200)
	got.has(value)
	for name, want := range map[string]string{
		"Content-Type":                 "application/octet-stream",
		"Content-Length":               strconv.Itoa(len(value)),
		"X-Content-Type-Options":       "nosniff",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
		"Expires":                      "",
		"Harpia-Expires":               "",
	} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	head := s.do("HEAD", "/v1/cache/k", "").is(200)
	head.has("")
	if n := head.header.Get("Content-Length"); n != strconv.Itoa(len(value)) {
		t.Errorf("HEAD: Content-Length %q", n)
	}

	s.do("DELETE", "/v1/cache/k", "").is(204)
	s.do("GET", "/v1/cache/k", "").is(404)
	s.do("HEAD", "/v1/cache/k", "").is(404)
}

func TestEmptyValueIsFound(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/empty", "").is(204)
	s.do("GET", "/v1/cache/empty", "").is(200).has("")
}

func TestLargestValue(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{MaxValue: 3 << 20}))
	value := strings.Repeat("0123456789abcde\n", 3<<16)
	s.do("PUT", "/v1/cache/big", value).is(204)
	if got := s.do("GET", "/v1/cache/big", "").is(200); got.body != value {
		t.Errorf("%d bytes came back, other than the %d sent", len(got.body), len(value))
	}
}

func TestExpiry(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{Cache: newCache(t, cache.Options{TTL: time.Hour})}))
	for _, c := range []struct {
		ttl  string
		want time.Duration // 0: never
	}{
		{"", time.Hour},
		{"?ttl=30s", 30 * time.Second},
		{"?ttl=1h30m", 90 * time.Minute},
		{"?ttl=90000ms", 90 * time.Second},
		{"?ttl=0", 0},
		{"?ttl=0s", 0},
	} {
		t.Run("ttl "+c.ttl, func(t *testing.T) {
			before := time.Now()
			s.do("PUT", "/v1/cache/k"+c.ttl, "v").is(204)
			after := time.Now()
			got := s.do("HEAD", "/v1/cache/k", "").is(200)
			precise, coarse := got.header.Get("Harpia-Expires"), got.header.Get("Expires")
			if c.want == 0 {
				if precise != "" || coarse != "" {
					t.Fatalf("expires %q, %q; want never", precise, coarse)
				}
				return
			}
			at, err := time.Parse(time.RFC3339, precise)
			if err != nil || len(precise) != len("2006-01-02T15:04:05.000Z") {
				t.Fatalf("Harpia-Expires %q (%v): want RFC 3339 in UTC with milliseconds", precise, err)
			}
			if early := before.Add(c.want - time.Millisecond); at.Before(early) || at.After(after.Add(c.want)) {
				t.Errorf("expires at %v, want %v after %v", at, c.want, before)
			}
			if want := at.Truncate(time.Second).Format(http.TimeFormat); coarse != want {
				t.Errorf("Expires %q, want %q", coarse, want)
			}
		})
	}
}

func TestIncrement(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("POST", "/v1/cache/n/increment", "").is(200).has(`{"value":1,"expires":null}` + "\n")
	s.do("POST", "/v1/cache/n/increment?delta=41", "").is(200).has(`{"value":42,"expires":null}` + "\n")
	s.do("POST", "/v1/cache/n/increment?delta=-50", "").is(200).has(`{"value":-8,"expires":null}` + "\n")
	s.do("POST", "/v1/cache/n/increment?delta=9223372036854775807", "").is(200)
	s.do("GET", "/v1/cache/n", "").is(200).has("9223372036854775799")
	s.do("POST", "/v1/cache/n/increment?delta=9", "").problem(409, "not_counter")

	first := s.do("POST", "/v1/cache/window/increment?ttl=1h", "").is(200)
	if !strings.HasPrefix(first.body, `{"value":1,"expires":"20`) {
		t.Errorf("a new counter with a ttl: %s", first.body)
	}
	// The window is not prolonged.
	want := strings.Replace(first.body, ":1,", ":2,", 1)
	s.do("POST", "/v1/cache/window/increment?ttl=9h", "").is(200).has(want)

	s.do("PUT", "/v1/cache/text", "abc").is(204)
	s.do("POST", "/v1/cache/text/increment", "").problem(409, "not_counter")
	s.do("GET", "/v1/cache/text", "").has("abc")
}

// Nothing may be stored by a request that is refused.
func TestRefusedParameters(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	for _, c := range []struct{ method, path, code string }{
		{"PUT", "/v1/cache/k?ttl=", "invalid_ttl"},
		{"PUT", "/v1/cache/k?ttl=30", "invalid_ttl"},
		{"PUT", "/v1/cache/k?ttl=soon", "invalid_ttl"},
		{"PUT", "/v1/cache/k?ttl=-1s", "invalid_ttl"},
		{"PUT", "/v1/cache/k?ttl=-1ns", "invalid_ttl"},
		{"PUT", "/v1/cache/k?ttl=9999999999h", "invalid_ttl"},
		{"PUT", "/v1/cache/k?ttl=999us", "invalid_ttl"},
		{"PUT", "/v1/cache/k?ttl=1ns", "invalid_ttl"},
		{"PUT", "/v1/cache/k?ttl=1s&ttl=2s", "invalid_query"},
		{"PUT", "/v1/cache/k?tll=30s", "invalid_query"},
		{"PUT", "/v1/cache/k?ttl=1s;x", "invalid_query"},
		{"GET", "/v1/cache/k?ttl=1s", "invalid_query"},
		{"DELETE", "/v1/cache/k?x", "invalid_query"},
		{"GET", "/v1/keys?prefx=a", "invalid_query"},
		{"GET", "/v1/keys?prefix=%zz", "invalid_query"},
		{"POST", "/v1/cache/k/increment?delta=", "invalid_delta"},
		{"POST", "/v1/cache/k/increment?delta=1.5", "invalid_delta"},
		{"POST", "/v1/cache/k/increment?delta=9223372036854775808", "invalid_delta"},
		{"POST", "/v1/cache/k/increment?delta=1&delta=1", "invalid_query"},
		{"POST", "/v1/cache/k/increment?ttl=-5m", "invalid_ttl"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			body := ""
			if c.method == "PUT" {
				body = "v"
			}
			s.do(c.method, c.path, body).problem(400, c.code)
		})
	}
	s.do("GET", "/v1/keys", "").is(200).has("")
}

func TestMethodsAndPaths(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	for _, c := range []struct{ method, path, allow string }{
		{"POST", "/v1/cache/k", "GET, HEAD, PUT, PATCH, DELETE"},
		{"TRACE", "/v1/cache/k", "GET, HEAD, PUT, PATCH, DELETE"},
		{"OPTIONS", "/v1/cache/k", "GET, HEAD, PUT, PATCH, DELETE"},
		{"GET", "/v1/cache/k/increment", "POST"},
		{"PUT", "/v1/keys", "GET, DELETE"},
		{"HEAD", "/v1/keys", "GET, DELETE"},
		{"POST", "/healthz", "GET, HEAD"},
		{"GET", "/v1/mset", "POST"},
		{"POST", "/openapi.json", "GET, HEAD"},
		{"DELETE", "/readyz", "GET, HEAD"},
	} {
		r := s.do(c.method, c.path, "")
		if r.header.Get("Allow") != c.allow || r.status != 405 {
			t.Errorf("%s %s: %d, Allow %q; want 405 and %q", c.method, c.path, r.status, r.header.Get("Allow"), c.allow)
		}
	}
	for path, says := range map[string]bool{"/v1/cache/k/increment": true, "/v1/mget": false} {
		p := s.do("GET", path, "").problem(405, "method_not_allowed")
		if strings.Contains(p.Detail, "%2F") != says {
			t.Errorf("GET %s: detail %q", path, p.Detail)
		}
	}
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/cache", "/v1/keys/", "/v2/cache/k", "/healthz/", "/v1//cache/k", "/v1/./cache/k"} {
		s.do("GET", path, "").problem(404, "no_such_path")
	}
}

// Each row of the table of errors, through each operation that can return it.
func TestStoreErrors(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
		retry  bool
		hidden bool // the text is not for clients
	}{
		{cache.ErrInvalidKey, 400, "invalid_key", false, false},
		{cache.ErrInvalidTTL, 400, "invalid_ttl", false, false},
		{cache.ErrTooLarge, 413, "too_large", false, false},
		{cache.ErrNotCounter, 409, "not_counter", false, false},
		{errors.ErrUnsupported, 501, "unsupported", false, false},
		{cache.ErrUnavailable, 503, "unavailable", true, false},
		{cache.ErrClosed, 503, "closed", true, false},
		{context.DeadlineExceeded, 504, "timeout", false, false},
		{context.Canceled, 503, "cancelled", true, false},
		{fmt.Errorf("%w: %w", cache.ErrUnavailable, context.DeadlineExceeded), 503, "unavailable", true, false},
		{errors.New("disk on fire"), 500, "internal", false, true},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			err := fmt.Errorf("store: shelf 7: %w", c.err)
			fake := newFake(t)
			fake.get = func(context.Context, string) (cache.Entry, bool, error) { return cache.Entry{}, false, err }
			fake.set = func(context.Context, string, cache.Entry) error { return err }
			fake.increment = func(context.Context) (int64, time.Time, error) { return 0, time.Time{}, err }
			fake.scan = func(context.Context, string) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) { yield("", err) }
			}
			log, logger := newLog()
			s := listen(t, newHTTP(t, fake, Options{Logger: logger}))
			s.absurd = true
			for _, call := range [][2]string{
				{"GET", "/v1/cache/k"}, {"PUT", "/v1/cache/k"}, {"POST", "/v1/cache/k/increment"}, {"GET", "/v1/keys"},
			} {
				r := s.do(call[0], call[1], "")
				p := r.problem(c.status, c.code)
				if got := r.header.Get("Retry-After") != ""; got != c.retry {
					t.Errorf("%v: Retry-After there: %v, want %v", call, got, c.retry)
				}
				if got := strings.Contains(p.Detail, "shelf 7"); got == c.hidden || strings.Contains(p.Detail, "cache: ") {
					t.Errorf("%v: detail %q", call, p.Detail)
				}
			}
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			if c.status >= 500 && strings.Count(log.String(), "level=ERROR") != 4 {
				t.Errorf("the log has not one error for each of four failures:\n%s", log)
			}
			if c.status >= 500 && !strings.Contains(log.String(), "shelf 7") {
				t.Errorf("the log does not tell the cause:\n%s", log)
			}
			if c.status < 500 && strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("the client's mistake is logged as an error:\n%s", log)
			}
		})
	}
}

// threeMethods hides what its Store can do beyond Store.
type threeMethods struct{ cache.Store }

func TestStoreOfThreeMethods(t *testing.T) {
	s := listen(t, newHTTP(t, threeMethods{newFake(t)}, Options{}))
	s.do("PUT", "/v1/cache/n", "1").is(204)
	s.do("GET", "/v1/cache/n", "").is(200).has("1")
	s.do("POST", "/v1/cache/n/increment", "").problem(501, "unsupported")
	s.do("GET", "/v1/keys", "").problem(501, "unsupported")
}

func TestClosedCache(t *testing.T) {
	c := newCache(t, cache.Options{})
	c.Close()
	s := listen(t, newHTTP(t, nil, Options{Cache: c}))
	s.do("GET", "/v1/cache/k", "").problem(503, "closed")
	s.do("PUT", "/v1/cache/k", "v").problem(503, "closed")
	s.do("GET", "/v1/keys", "").problem(503, "closed")
}

func TestNewRefusesOptions(t *testing.T) {
	c := newCache(t, cache.Options{})
	for name, o := range map[string]Options{
		"no cache":         {Status: ready},
		"no status":        {Cache: c},
		"negative bound":   {Cache: c, Status: ready, MaxValue: -1},
		"no room":          {Cache: c, Status: ready, MaxValue: 10, Admission: NewAdmission(9, nil)},
		"negative timeout": {Cache: c, Status: ready, Timeouts: Timeouts{Lag: -1}},
		"negative rate":    {Cache: c, Status: ready, Timeouts: Timeouts{MinRate: -1}},
	} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "server: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
