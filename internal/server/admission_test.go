package server

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/harpia-go/harpia/cache"
)

// Two front ends that share an Admission share its bound.
func TestFrontEndsShareABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const large = 1 << 20
		a := NewAdmission(large, nil)
		one := inBubble(t, newHTTP(t, nil, Options{MaxValue: large, Admission: a}))
		other := inBubble(t, newHTTP(t, nil, Options{MaxValue: large, Admission: a}))
		body := strings.Repeat("x", large)
		first := one.raw()
		first.head("PUT /v1/cache/k", "Content-Length: "+strconv.Itoa(large))
		first.send(body[1:])
		synctest.Wait()
		second := other.raw()
		second.head("PUT /v1/cache/k", "Content-Length: "+strconv.Itoa(large))
		go io.WriteString(second, body) // which the server does not read to the end
		second.answer("PUT").problem(503, "busy")
		first.send("x")
		first.answer("PUT").is(204)
		other.do("PUT", "/v1/cache/k", body).is(204)
		if held := a.held.Load(); held != 0 {
			t.Errorf("%d bytes are held by nobody", held)
		}
	})
}

// put puts a body and returns what the store got, and what was allocated.
func put(t *testing.T, body string, length int64) (got []byte, allocated uint64) {
	t.Helper()
	fake := newFake(t)
	fake.set = func(_ context.Context, _ string, e cache.Entry) error {
		got = e.Value
		return nil
	}
	a := NewAdmission(MaxBuffered(cache.DefaultMaxValue), nil)
	h := newHTTP(t, nil, Options{Admission: a, Cache: newCache(t, cache.Options{Store: fake, Codec: Bytes{}})})
	r, err := http.NewRequestWithContext(t.Context(), "PUT", "http://localhost/v1/cache/k", io.NopCloser(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.RequestURI, r.ContentLength = "/v1/cache/k", length
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h.ServeHTTP(nowhere{make(http.Header)}, r)
	runtime.ReadMemStats(&after)
	if string(got) != body {
		t.Fatalf("the store got %d bytes, which are not the %d that were sent", len(got), len(body))
	}
	if held := a.held.Load(); held != 0 {
		t.Errorf("%d bytes are held by nobody", held)
	}
	return got, after.TotalAlloc - before.TotalAlloc
}

// The buffer that a body is read into is the one that the store gets.
func TestABodyHasOneBuffer(t *testing.T) {
	const size = 10_000_000
	body := strings.Repeat("0123456789", size/10)
	got, allocated := put(t, body, size)
	if cap(got) != size || allocated > size+size/growth*2 {
		t.Errorf("a body of %d bytes took %d, and a buffer of %d", size, allocated, cap(got))
	}
}

// A store does not keep the room that a body without a length might have needed.
func TestABodyWithoutALengthFitsItsBuffer(t *testing.T) {
	for _, size := range []int{0, 10, 33_000, 70_000, 5_000_000} {
		if got, _ := put(t, strings.Repeat("x", size), -1); cap(got) > size+size/8+64 {
			t.Errorf("a body of %d bytes is in a buffer of %d", size, cap(got))
		}
	}
}

// A value is sent from where the store has it.
func TestAReadCopiesNothing(t *testing.T) {
	const size = 10_000_000
	c := newCache(t, cache.Options{Codec: Bytes{}})
	if err := c.Set(t.Context(), "k", make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	h := newHTTP(t, nil, Options{Cache: c})
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://localhost/v1/cache/k", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.RequestURI = "/v1/cache/k"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h.ServeHTTP(nowhere{make(http.Header)}, r)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > size/2 {
		t.Errorf("to send %d bytes took %d", size, n)
	}
}

func TestBytesTakesNothingElse(t *testing.T) {
	if _, err := (Bytes{}).Encode("text"); err == nil {
		t.Error("a string was taken")
	}
	if err := (Bytes{}).Decode(nil, new(string)); err == nil {
		t.Error("a string was given")
	}
}
