package storetest

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// probe is what a case works with: the store, keys of its own, and ways to
// fail. All of it may be used from any goroutine that each started.
type probe struct {
	ctx    context.Context
	store  *recorder
	can    cache.Capability
	prefix string // of every key of the case

	mu  sync.Mutex
	err error
}

// key returns a key of this case alone.
func (p *probe) key(name string) string { return p.prefix + name }

// name shows a key in a message: without the prefix, and shortened.
func (p *probe) name(key string) string { return short(strings.TrimPrefix(key, p.prefix)) }

// short quotes the beginning of a key or a value for a message.
func short[T string | []byte](text T) string {
	const most = 40
	if len(text) <= most {
		return strconv.Quote(string(text))
	}
	return fmt.Sprintf("%q… (%d bytes)", string(text[:most]), len(text))
}

// fatalf fails the case and ends the calling goroutine. The first failure is
// the one that is reported.
func (p *probe) fatalf(format string, args ...any) {
	p.fail(fmt.Errorf(format, args...))
	runtime.Goexit()
}

func (p *probe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

func (p *probe) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// protect calls f and turns its panic into a failure.
func (p *probe) protect(f func()) {
	if err := attempted(func() error { f(); return nil }); err != nil {
		p.fail(err)
	}
}

// attempted calls f and turns its panic into an error.
func attempted(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v, in %s", v, panicker())
		}
	}()
	return f()
}

// panicker names the function that panicked, when called by the deferred
// function that recovered.
func panicker() string {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(1, pc)])
	panicked := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf("%s (%s:%d)", f.Function, f.File, f.Line)
		}
		if !more {
			return "an unknown function"
		}
	}
}

// each calls f for 0 to n-1, at most 16 at a time and all of them at once if
// they are no more; it returns when all have returned, and ends the case if
// one has failed.
func (p *probe) each(n int, f func(i int)) {
	var (
		next    atomic.Int64
		running sync.WaitGroup
	)
	for range min(n, 16) {
		running.Go(func() {
			for p.failure() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				p.protect(func() { f(i) })
			}
		})
	}
	running.Wait()
	if p.failure() != nil {
		runtime.Goexit()
	}
}

// until waits until the clock shows at.
func (p *probe) until(at time.Time) {
	for {
		left := time.Until(at)
		if left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-p.ctx.Done():
			timer.Stop()
			p.fatalf("waiting: %w", p.ctx.Err())
		}
	}
}
