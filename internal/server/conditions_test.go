package server

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func tagOfText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`
}

// Each condition of RFC 9110, 13, on a key that holds "v" and on one that holds
// nothing. What does not hold changes nothing.
func TestConditions(t *testing.T) {
	v, other := tagOfText("v"), tagOfText("other")
	for _, c := range []struct {
		name        string
		fields      []string
		read        int // GET and HEAD where there is "v"
		put, delete int // PUT and DELETE where there is "v"
		putNew      int // where there is nothing
		deleteNone  int
	}{
		{"none", nil, 200, 204, 204, 204, 204},
		{"match the tag", []string{"If-Match", v}, 200, 204, 204, 412, 412},
		{"match one of", []string{"If-Match", other + ` , ,W/"x",` + v}, 200, 204, 204, 412, 412},
		{"match another", []string{"If-Match", other}, 412, 412, 412, 412, 412},
		{"match the weak tag", []string{"If-Match", "W/" + v}, 412, 412, 412, 412, 412},
		{"match any", []string{"If-Match", "*"}, 200, 204, 204, 412, 412},
		{"none of the tag", []string{"If-None-Match", v}, 304, 412, 412, 201, 204},
		{"none of the weak tag", []string{"If-None-Match", "W/" + v}, 304, 412, 412, 201, 204},
		{"none of others", []string{"If-None-Match", other + `, "x"`}, 200, 204, 204, 201, 204},
		{"none at all", []string{"If-None-Match", "*"}, 304, 412, 412, 201, 204},
		{"match before none", []string{"If-Match", other, "If-None-Match", v}, 412, 412, 412, 412, 412},
		{"match, but none", []string{"If-Match", v, "If-None-Match", v}, 304, 412, 412, 412, 412},
		{"match, and none of others", []string{"If-Match", v, "If-None-Match", other}, 200, 204, 204, 412, 412},
		{"never", []string{"If-Match", "*", "If-None-Match", "*"}, 304, 412, 412, 412, 412},
		// RFC 9110: a date beside a tag is not looked at.
		{"a date beside If-Match", []string{"If-Match", v, "If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"}, 200, 204, 204, 412, 412},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := listen(t, newHTTP(t, nil, Options{}))
			check := func(method, before string, want int, after string) {
				t.Helper()
				key := "/v1/cache/" + method
				if before != "" {
					s.do("PUT", key, before).is(204)
				}
				body := ""
				if method == "PUT" {
					body = "new"
				}
				r := s.do(method, key, body, c.fields...)
				if want == 412 && method != "HEAD" {
					r.problem(412, "precondition_failed")
				} else {
					r.is(want)
				}
				tag := r.header.Get("Etag")
				switch {
				case want == 201, want == 204 && method == "PUT":
					if tag != tagOfText("new") {
						t.Errorf("%s: ETag %q of the value that was stored", method, tag)
					}
				case want == 200, want == 304:
					if tag != v {
						t.Errorf("%s: ETag %q, want %q", method, tag, v)
					}
				case tag != "":
					t.Errorf("%s: ETag %q with status %d", method, tag, want)
				}
				now := s.do("GET", key, "")
				if after == "" {
					now.problem(404, "not_found")
				} else {
					now.is(200).has(after)
				}
			}
			stored := func(status int, before string) string {
				if status == 412 {
					return before
				}
				return "new"
			}
			check("GET", "v", c.read, "v")
			check("HEAD", "v", c.read, "v")
			check("PUT", "v", c.put, stored(c.put, "v"))
			check("DELETE", "v", c.delete, map[int]string{412: "v"}[c.delete])
			s.do("DELETE", "/v1/cache/PUT", "").is(204)
			s.do("DELETE", "/v1/cache/DELETE", "").is(204)
			check("PUT", "", c.putNew, stored(c.putNew, ""))
			check("DELETE", "", c.deleteNone, "")
			// Where the answer is 404 anyway, conditions are not looked at.
			s.do("GET", "/v1/cache/nothing", "", c.fields...).problem(404, "not_found")
		})
	}
}

func TestUnreadableConditions(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/k", "v").is(204)
	for _, field := range []string{"If-Match", "If-None-Match"} {
		for _, text := range []string{"", ",", "abc", `"abc`, `"a" "b"`, `*, "a"`, `"a", *`, `w/"a"`, `W/ "a"`, `W/`, `"a b"`, "\"a\tb\"", `"a";q=1`, `W/*`} {
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				conn := s.raw()
				conn.head(method+" /v1/cache/k", field+": "+text)
				if p := conn.answer(method).problem(400, "invalid_condition"); !strings.Contains(p.Detail, field) {
					t.Errorf("%s: %s: detail %q", field, text, p.Detail)
				}
			}
		}
	}
	s.do("GET", "/v1/cache/k", "").is(200).has("v")
}

// Conditions in several lines are one list.
func TestConditionsInSeveralLines(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/k", "v").is(204)
	conn := s.raw()
	conn.head("DELETE /v1/cache/k", `If-Match: "x"`, "If-Match: "+tagOfText("v"))
	conn.answer("DELETE").is(204)
	s.do("PUT", "/v1/cache/k", "v").is(204)
	conn.head("PUT /v1/cache/k", "If-None-Match: "+tagOfText("v"), `If-None-Match: "x"`, "Content-Length: 0")
	conn.answer("PUT").problem(412, "precondition_failed")
}

// A condition that holds when the value is read and not when it is written
// must not let the write through.
func TestConditionsAreAtomic(t *testing.T) {
	for _, method := range []string{"PUT", "DELETE"} {
		fake := newFake(t)
		var once sync.Once
		fake.get = func(ctx context.Context, key string) (cache.Entry, bool, error) {
			e, ok, err := fake.Memory.Get(ctx, key)
			once.Do(func() { _ = fake.Memory.Set(ctx, key, cache.Entry{Value: []byte("another's")}) })
			return e, ok, err
		}
		s := listen(t, newHTTP(t, fake, Options{}))
		s.do("PUT", "/v1/cache/k", "v").is(204)
		s.do(method, "/v1/cache/k", "", "If-Match", tagOfText("v")).problem(412, "precondition_failed")
		s.do("GET", "/v1/cache/k", "").is(200).has("another's")
	}
	// And one that holds again is tried again: any value may be replaced.
	fake := newFake(t)
	n := 0
	fake.get = func(ctx context.Context, key string) (cache.Entry, bool, error) {
		e, ok, err := fake.Memory.Get(ctx, key)
		if n++; n <= 8 {
			_ = fake.Memory.Set(ctx, key, cache.Entry{Value: fmt.Append(nil, n)})
		}
		return e, ok, err
	}
	s := listen(t, newHTTP(t, fake, Options{}))
	s.do("PUT", "/v1/cache/k", "v").is(204)
	s.do("PUT", "/v1/cache/k", "mine", "If-Match", "*").is(204)
	s.do("GET", "/v1/cache/k", "").is(200).has("mine")
	if n != 10 {
		t.Errorf("the key was read %d times, want 10", n)
	}
}

// A counter over GET and PUT with If-Match loses no step.
func TestOptimisticCounting(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/n", "").is(204)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for done := 0; done < 25; {
				r := s.do("GET", "/v1/cache/n", "")
				if s.do("PUT", "/v1/cache/n", r.body+"x", "If-Match", r.header.Get("Etag")).status == 204 {
					done++
				}
			}
		})
	}
	clients.Wait()
	s.do("GET", "/v1/cache/n", "").is(200).has(strings.Repeat("x", 200))
}

// Of many that put a key only if it is not there, one wins.
func TestOneLockHolder(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	for round := range 20 {
		var won, lost atomic.Int32
		var clients sync.WaitGroup
		for i := range 16 {
			clients.Go(func() {
				switch r := s.do("PUT", fmt.Sprint("/v1/cache/lock", round, "?ttl=1h"), fmt.Sprint(i), "If-None-Match", "*"); r.status {
				case 201:
					won.Add(1)
				case 412:
					lost.Add(1)
				default:
					t.Errorf("status %d", r.status)
				}
			})
		}
		clients.Wait()
		if won.Load() != 1 || lost.Load() != 15 {
			t.Fatalf("%d of 16 clients hold the lock, %d do not", won.Load(), lost.Load())
		}
	}
}

// The time to live of a conditional PUT is that of any other PUT, whatever the
// value before had.
func TestConditionalPutExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inBubble(t, newHTTP(t, nil, Options{}))
		s.do("PUT", "/v1/cache/k?ttl=1h", "v").is(204)
		s.do("PUT", "/v1/cache/k", "w", "If-Match", tagOfText("v")).is(204)
		if e := s.do("GET", "/v1/cache/k", "").is(200).header.Get("Harpia-Expires"); e != "" {
			t.Errorf("expires %s, want never", e)
		}
		s.do("PUT", "/v1/cache/k?ttl=1m", "x", "If-Match", "*").is(204)
		s.do("PUT", "/v1/cache/lock?ttl=1m", "x", "If-None-Match", "*").is(201)
		time.Sleep(time.Minute)
		s.do("GET", "/v1/cache/k", "").is(404)
		s.do("PUT", "/v1/cache/lock?ttl=1m", "x", "If-None-Match", "*").is(201)
	})
}

// A store that cannot compare says so; nothing is emulated.
func TestConditionsOfAStoreOfThreeMethods(t *testing.T) {
	s := listen(t, newHTTP(t, threeMethods{newFake(t)}, Options{}))
	s.do("PUT", "/v1/cache/new", "v", "If-None-Match", "*").problem(501, "unsupported")
	s.do("GET", "/v1/cache/new", "").is(404)
	s.do("PUT", "/v1/cache/k", "v").is(204)
	s.do("PUT", "/v1/cache/k", "w", "If-Match", tagOfText("v")).problem(501, "unsupported")
	s.do("PUT", "/v1/cache/k", "w", "If-None-Match", tagOfText("w")).problem(501, "unsupported")
	s.do("DELETE", "/v1/cache/k", "", "If-Match", "*").problem(501, "unsupported")
	s.do("GET", "/v1/cache/k", "").is(200).has("v")
	// What a read can tell needs no comparison.
	s.do("PUT", "/v1/cache/k", "w", "If-Match", tagOfText("w")).problem(412, "precondition_failed")
	s.do("GET", "/v1/cache/k", "", "If-None-Match", tagOfText("v")).is(304)
}

// The value that a condition is about is in memory too.
func TestAdmissionOfConditions(t *testing.T) {
	const large = 1 << 20
	h := newHTTP(t, nil, Options{MaxValue: large, Admission: NewAdmission(large, nil)})
	s := listen(t, h)
	body := strings.Repeat("x", large)
	s.do("PUT", "/v1/cache/k", body).is(204)
	s.do("PUT", "/v1/cache/k", body[1:], "If-Match", tagOfText(body)).problem(503, "busy")
	s.do("GET", "/v1/cache/k", "").is(200).has(body)
	s.do("PUT", "/v1/cache/k", "small", "If-Match", tagOfText(body)).is(204)
	if held := h.admitted.held.Load(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
}

// 304 tells what a cache needs to keep its copy, and nothing of a body.
func TestNotModified(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/k?ttl=1h", "v").is(204)
	whole := s.do("GET", "/v1/cache/k", "").is(200)
	r := s.do("GET", "/v1/cache/k", "", "If-None-Match", whole.header.Get("Etag"), "Range", "bytes=0-0").is(304)
	r.has("")
	for _, name := range []string{"Etag", "Expires", "Harpia-Expires", "Cache-Control"} {
		if r.header.Get(name) != whole.header.Get(name) || r.header.Get(name) == "" {
			t.Errorf("%s: %q, with status 200 %q", name, r.header.Get(name), whole.header.Get(name))
		}
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Range"} {
		if r.header.Get(name) != "" {
			t.Errorf("%s: %q", name, r.header.Get(name))
		}
	}
}

// The digest reads the value in place.
func TestTagCopiesNothing(t *testing.T) {
	value := make([]byte, 8<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tagOf(value)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("the tag of %d bytes allocates %d", len(value), n)
	}
}

func FuzzTags(f *testing.F) {
	for _, text := range []string{"*", `"a"`, `W/"a", "b"`, ` , "a",,`, `"a" "b"`, `"`, "W/", `"a,b"`, "\"\xff\"", ""} {
		f.Add(text, `"a"`)
	}
	f.Fuzz(func(t *testing.T, text, tag string) {
		list, err := parseTags([]string{text})
		if err != nil {
			return
		}
		// Written again it is the same list, also over several lines.
		lines := []string{"*"}
		if !list.any {
			lines = nil
			for _, tag := range list.tags {
				line := tag.opaque
				if tag.weak {
					line = "W/" + line
				}
				lines = append(lines, line)
			}
		}
		again, err := parseTags(lines)
		if err != nil || again.any != list.any || !slices.Equal(again.tags, list.tags) {
			t.Fatalf("%q is %v; written as %q it is %v, %v", text, list, lines, again, err)
		}
		if list.hasStrong(tag) && !list.hasWeak(tag) {
			t.Fatalf("%q has %q by the strong comparison and not by the weak one", text, tag)
		}
		if !list.any && len(list.tags) == 0 || list.hasWeak("") {
			t.Fatalf("%q is %v, which names nothing or what is not there", text, list)
		}
		if tag != "" && list.hasWeak(tag) && !list.any && !strings.Contains(text, tag) {
			t.Fatalf("%q has %q", text, tag)
		}
	})
}
