package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// After an attempt that failed, calls fail with its reason for backOffFirst,
// then twice as long each time up to backOffLast, each time up to a quarter
// longer at random.
const (
	backOffFirst = 20 * time.Millisecond
	backOffLast  = time.Second
)

// link keeps a session with the servers. It has no will of its own: calls ask
// for the session, and the one that finds none starts an attempt, which all
// others wait for. An attempt is nobody's: the end of a caller's context does
// not end it.
type link struct {
	connect func(context.Context, *session) error // to make a session of it

	current atomic.Pointer[session]

	mu      sync.Mutex
	attempt *attempt // the one under way; nil: none
	failed  error    // of the last attempt; nil: it succeeded
	backOff time.Duration
	until   time.Time // when the next attempt may begin
	closed  bool

	life context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup // attempts, and clients that are being closed
}

// attempt is one try to connect. The fields are set when done is closed.
type attempt struct {
	done    chan struct{}
	session *session
	err     error
}

func newLink(connect func(context.Context, *session) error) *link {
	l := &link{connect: connect}
	l.life, l.end = context.WithCancel(context.Background())
	return l
}

// get returns the session, and connects if there is none.
func (l *link) get(ctx context.Context) (*session, error) {
	if s := l.current.Load(); s != nil {
		return s, nil
	}
	a, err := l.begin(nil)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return l.get(ctx) // somebody has connected meanwhile
	}
	return a.wait(ctx)
}

func (a *attempt) wait(ctx context.Context) (*session, error) {
	select {
	case <-a.done:
		return a.session, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begin returns the attempt under way, or starts one: unless there is a
// session that is not old, which gives nil, or the last attempt failed just
// now, which gives its reason.
func (l *link) begin(old *session) (*attempt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, errClosed()
	case l.current.Load() != old:
		return nil, nil
	case l.attempt != nil:
		return l.attempt, nil
	case time.Now().Before(l.until):
		return nil, l.failed
	}
	a := &attempt{done: make(chan struct{})}
	l.attempt = a
	l.work.Go(func() { l.try(a) })
	return a, nil
}

func (l *link) try(a *attempt) {
	defer close(a.done)
	s := &session{link: l, since: time.Now()}
	a.err = l.connect(l.life, s)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempt = nil
	if l.closed && a.err == nil {
		l.retire(s)
		a.err = errClosed()
	}
	l.failed = a.err
	if a.err != nil {
		l.backOff = min(max(2*l.backOff, backOffFirst), backOffLast)
		l.until = time.Now().Add(l.backOff + rand.N(l.backOff/4))
		return
	}
	a.session, l.backOff = s, 0
	old := l.current.Load()
	if old != nil {
		old.hub.end() // before anybody uses what it does not watch
		l.retire(old)
	}
	l.current.Store(s)
}

// drop ends the use of a session that is broken.
func (l *link) drop(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current.CompareAndSwap(s, nil) {
		s.hub.end()
		l.retire(s)
	}
}

// renewAfter is how long a session is used before it is renewed.
const renewAfter = time.Second

// renew looks for a better session while s goes on: after an attempt that
// succeeds the new one takes over. It does not wait.
func (l *link) renew(s *session) {
	if time.Since(s.since) > renewAfter {
		_, _ = l.begin(s)
	}
}

// retire closes a session. Calls that still use it are answered, or fail
// within a second.
func (l *link) retire(s *session) { l.work.Go(s.close) }

// close ends everything and waits for it.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	l.end()
	if s := l.current.Swap(nil); s != nil {
		l.retire(s)
	}
	l.mu.Unlock()
	l.work.Wait()
}

func (l *link) isClosed() bool { return l.life.Err() != nil }

func errClosed() error { return fmt.Errorf("redis: %w", cache.ErrClosed) }
