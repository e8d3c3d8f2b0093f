package server

import (
	"context"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// fakeStore is a Memory of which a test replaces some methods.
type fakeStore struct {
	*cache.Memory
	get       func(ctx context.Context, key string) (cache.Entry, bool, error)
	set       func(ctx context.Context, key string, e cache.Entry) error
	increment func(ctx context.Context) (int64, time.Time, error)
	scan      func(ctx context.Context, prefix string) iter.Seq2[string, error]
}

func newFake(t *testing.T) *fakeStore {
	t.Helper()
	m, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return &fakeStore{Memory: m}
}

func (f *fakeStore) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	if f.get != nil {
		return f.get(ctx, key)
	}
	return f.Memory.Get(ctx, key)
}

func (f *fakeStore) Set(ctx context.Context, key string, e cache.Entry) error {
	if f.set != nil {
		return f.set(ctx, key, e)
	}
	return f.Memory.Set(ctx, key, e)
}

func (f *fakeStore) Increment(ctx context.Context, key string, delta int64, expires time.Time) (int64, time.Time, error) {
	if f.increment != nil {
		return f.increment(ctx)
	}
	return f.Memory.Increment(ctx, key, delta, expires)
}

func (f *fakeStore) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	if f.scan != nil {
		return f.scan(ctx, prefix)
	}
	return f.Memory.Scan(ctx, prefix)
}

// hang is a store's call that ends with its context only.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func ready(context.Context) Status {
	return Status{Ready: true, Store: "memory", State: "ready", Version: "1.2.3"}
}

func newCache(t *testing.T, o cache.Options) *cache.Cache[[]byte] {
	t.Helper()
	c, err := cache.New[[]byte](o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// newHTTP completes o with a cache over store (nil: Memory) and a Status.
func newHTTP(t *testing.T, store cache.Store, o Options) *HTTP {
	t.Helper()
	if o.Cache == nil {
		o.Cache = newCache(t, cache.Options{Store: store})
	}
	if o.Status == nil {
		o.Status = ready
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// logBuffer collects a Logger's lines.
type logBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newLog() (*logBuffer, *slog.Logger) {
	buf := new(logBuffer)
	return buf, slog.New(slog.NewTextHandler(buf, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
