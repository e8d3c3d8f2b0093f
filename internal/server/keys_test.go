package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// listed returns the decoded keys of a listing.
func listed(t *testing.T, s *running, query string) map[string]bool {
	t.Helper()
	r := s.do("GET", "/v1/keys"+query, "").is(200)
	if got := r.header.Get("Content-Type"); got != "application/x-ndjson" {
		t.Errorf("Content-Type %q", got)
	}
	keys := make(map[string]bool)
	for line := range strings.Lines(r.body) {
		var entry struct{ Key string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		key, err := url.PathUnescape(entry.Key)
		if err != nil || keys[key] {
			t.Fatalf("line %q: %v, or twice", line, err)
		}
		keys[key] = true
	}
	return keys
}

func TestListKeys(t *testing.T) {
	c := newCache(t, cache.Options{})
	s := listen(t, newHTTP(t, nil, Options{Cache: c}))
	if got := listed(t, s, ""); len(got) != 0 {
		t.Errorf("an empty cache lists %v", got)
	}
	want := make(map[string]bool)
	set := func(key string) {
		t.Helper()
		want[key] = true
		if err := c.Set(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a b", "a+b", "a/b", `a"b\`, "\xff\xfea", "\xff\xfeb", "\x00", "a&b=c", "\n"} {
		set(key)
	}
	for i := range 20_000 { // several chunks
		set(fmt.Sprintf("user:%d", i))
	}
	if got := listed(t, s, ""); !maps.Equal(got, want) {
		t.Errorf("%d keys are listed, want %d", len(got), len(want))
	}
	for query, prefix := range map[string]string{
		"?prefix=": "", "?prefix=user:1999": "user:1999", "?prefix=%FF%FE": "\xff\xfe", "?prefix=%00": "\x00",
		"?prefix=a+b": "a b", "?prefix=a%2Bb": "a+b", "?prefix=a%26b=": "a&b=", "?prefix=none": "none",
	} {
		only := maps.Clone(want)
		maps.DeleteFunc(only, func(key string, _ bool) bool { return !strings.HasPrefix(key, prefix) })
		if got := listed(t, s, query); !maps.Equal(got, only) {
			t.Errorf("%s lists %d keys, want %d", query, len(got), len(only))
		}
	}
}

// A line can be put into a URL as it stands.
func TestListedKeyIsAPath(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/%FF%2F..%2F+%20", "v").is(204)
	r := s.do("GET", "/v1/keys", "")
	r.has(`{"key":"%FF%2F..%2F%2B%20"}` + "\n")
	s.do("GET", "/v1/cache/%FF%2F..%2F%2B%20", "").is(200).has("v")
	s.do("GET", "/v1/keys?prefix=%FF%2F..%2F%2B%20", "").is(200).has(r.body)
}

// A listing that failed must not look whole.
func TestListingCutOff(t *testing.T) {
	for name, scan := range map[string]func(context.Context, string) iter.Seq2[string, error]{
		"an error after some keys": func(context.Context, string) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				_ = yield("a", nil) && yield("b", nil) && yield("", errors.New("lost"))
			}
		},
		"an error after many keys": func(context.Context, string) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for i := range 10_000 {
					if !yield(fmt.Sprintf("key%d", i), nil) {
						return
					}
				}
				yield("", cache.ErrUnavailable)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newFake(t)
			fake.scan = scan
			log, logger := newLog()
			s := listen(t, newHTTP(t, fake, Options{Logger: logger}))
			if r := s.do("GET", "/v1/keys", ""); r.status != 200 || r.cut == nil {
				t.Errorf("status %d and %d bytes that end with %v; want a body that breaks off", r.status, len(r.body), r.cut)
			}
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("the failure is not logged:\n%s", log)
			}
		})
	}
}

// Without chunks a client could not see that a listing broke off.
func TestListingNeedsChunks(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	c := s.raw()
	c.send("GET /v1/keys HTTP/1.0\r\nHost: localhost\r\n\r\n")
	c.answer("GET").problem(505, "http_version")
}

// Keys are sent while the store still looks for more.
func TestListingStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		fake.scan = func(ctx context.Context, _ string) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for _, key := range []string{"first", "second"} {
					if !yield(key, nil) {
						return
					}
					time.Sleep(9 * time.Second)
				}
				yield("third", nil)
			}
		}
		s := inBubble(t, newHTTP(t, fake, Options{Timeouts: Timeouts{Store: 10 * time.Second}}))
		start := time.Now()
		c := s.raw()
		c.head("GET /v1/keys")
		var at []time.Duration
		for len(at) < 3 {
			line, err := c.in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(line, `{"key"`) {
				at = append(at, time.Since(start))
			}
		}
		// 18 s altogether: Timeouts.Store is for each step.
		if want := []time.Duration{0, 9 * time.Second, 18 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("the lines came after %v, want %v", at, want)
		}
		c.Close()
	})
}

func TestListingStalls(t *testing.T) {
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprintf("silently %v", silent), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				keys := 0
				fake := newFake(t)
				fake.scan = func(ctx context.Context, _ string) iter.Seq2[string, error] {
					return func(yield func(string, error) bool) {
						for range keys {
							yield("a", nil)
						}
						if err := hang(ctx); !silent {
							yield("", err)
						}
					}
				}
				s := inBubble(t, newHTTP(t, fake, Options{Timeouts: Timeouts{Store: 3 * time.Second}}))
				start := time.Now()
				s.do("GET", "/v1/keys", "").problem(504, "timeout")
				if took := time.Since(start); took != 3*time.Second {
					t.Errorf("answered after %v", took)
				}
				keys = 1
				if r := s.do("GET", "/v1/keys", ""); r.status != 200 || r.cut == nil {
					t.Errorf("status %d, body %q ends with %v; want it to break off", r.status, r.body, r.cut)
				}
			})
		})
	}
}

// The time that the client takes is not the store's.
func TestListingToASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHTTP(t, nil, Options{Timeouts: quick})
		for _, key := range []string{"a", "b", "c"} {
			if err := h.cache.Set(t.Context(), key, nil); err != nil {
				t.Fatal(err)
			}
		}
		s := inBubble(t, h)
		c := s.raw()
		c.head("GET /v1/keys")
		time.Sleep(quick.Store + time.Second)
		if r := c.answer("GET").is(200); strings.Count(r.body, "\n") != 3 {
			t.Errorf("listed is %q", r.body)
		}
	})
}
