package server

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

// nowhere is a ResponseWriter that costs nothing.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) WriteHeader(int)             {}

// What this package adds to net/http and the cache, on 128-byte values.
func BenchmarkHandler(b *testing.B) {
	c, err := cache.New[[]byte](cache.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	h, err := New(Options{Cache: c, Status: ready, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	value := strings.Repeat("x", 128)
	for _, method := range []string{"PUT", "GET"} {
		b.Run(method, func(b *testing.B) {
			b.ReportAllocs()
			r, err := http.NewRequestWithContext(b.Context(), method, "http://localhost/v1/cache/user%3A1", nil)
			if err != nil {
				b.Fatal(err)
			}
			r.RequestURI = "/v1/cache/user%3A1"
			for b.Loop() {
				r.Body, r.ContentLength = http.NoBody, 0
				if method == "PUT" {
					r.Body, r.ContentLength = io.NopCloser(strings.NewReader(value)), int64(len(value))
				}
				h.ServeHTTP(nowhere{make(http.Header)}, r)
			}
		})
	}
}
