package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// load writes from several goroutines and remembers what was acknowledged.
type load struct {
	t      *testing.T
	s      *Store
	prefix string
	size   int // bytes of a value

	mu    sync.Mutex
	acked map[string]string
	sent  map[string]string // the latest, whatever became of it
	errs  []error
}

func newLoad(t *testing.T, s *Store, size int) *load {
	return &load{t: t, s: s, size: size, acked: map[string]string{}, sent: map[string]string{}}
}

// noise is what no table stores in less space than it takes.
func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(b)
	return string(b)
}

// run writes until more is false, or each goroutine had an error.
func (l *load) run(more func() bool) {
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := 0; more(); n++ {
				key := fmt.Sprint(l.prefix, w, "-", n)
				value := key + noise(l.size/2+rand.IntN(l.size))
				l.mu.Lock()
				l.sent[key] = value
				l.mu.Unlock()
				err := l.s.Set(l.t.Context(), key, cache.Entry{Value: []byte(value)})
				l.mu.Lock()
				if err == nil {
					l.acked[key] = value
				} else {
					l.errs = append(l.errs, err)
				}
				l.mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
}

// some writes n more, and reports whether all were taken.
func (l *load) some(n int) bool {
	var left atomic.Int64
	left.Store(int64(n))
	l.run(func() bool { return left.Add(-1) >= 0 })
	ok := len(l.errs) == 0
	l.errs = nil
	return ok
}

// check reads everything that was acknowledged.
func (l *load) check(s *Store) {
	l.t.Helper()
	for key, want := range l.acked {
		wantValue(l.t, s, key, want)
	}
}

// wantErrors checks how the writes ended, and forgets it.
func (l *load) wantErrors(texts ...string) {
	l.t.Helper()
	if len(l.errs) == 0 {
		l.t.Fatal("no write failed")
	}
	for _, err := range l.errs {
		if !errors.Is(err, cache.ErrUnavailable) {
			l.t.Errorf("Set: %v, want it unavailable", err)
		}
		for _, text := range texts {
			if !strings.Contains(err.Error(), text) {
				l.t.Errorf("Set: %v, want it to say %q", err, text)
			}
		}
	}
	l.errs = nil
}

func always() bool { return true }

// eventually waits for what the store does by itself.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not in a minute: %s", what)
}
