package main

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
)

// noClient is a client that is only closed.
type noClient struct{ rueidis.Client }

func (noClient) Close() {}

var errNoServer = errors.New("no server")

// servers are connected to in a second, if they are up.
type servers struct {
	mu    sync.Mutex
	down  bool
	tries int
}

func (s *servers) connect(ctx context.Context, to *session) error {
	s.mu.Lock()
	s.tries++
	down := s.down
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	if down {
		return errNoServer
	}
	to.client, to.mode = noClient{}, standalone
	return nil
}

func (s *servers) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *servers) tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

// All who need a session wait for one attempt, and one of them that gives up
// does not end it.
func TestOneAttemptForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &servers{}
		l := newLink(s.connect)
		defer l.close()
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := l.get(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller with little time gets %v", err)
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if to, err := l.get(t.Context()); err != nil || to == nil {
					t.Errorf("get: %v, %v", to, err)
				}
			})
		}
		all.Wait()
		if n := s.tried(); n != 1 {
			t.Errorf("%d attempts", n)
		}
	})
}

// While the servers are down, calls get the reason at once, and now and then
// one tries; when the servers are up, it succeeds.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &servers{down: true}
		l := newLink(s.connect)
		defer l.close()
		const rounds = 1000
		for range rounds {
			if _, err := l.get(t.Context()); !errors.Is(err, errNoServer) {
				t.Fatalf("get: %v", err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		// An attempt takes a second, and what is between them grows to that.
		if n := s.tried(); n < 5 || n > 20 {
			t.Errorf("%d attempts for %d calls", n, rounds)
		}
		s.set(false)
		time.Sleep(2 * backOffLast)
		if _, err := l.get(t.Context()); err != nil {
			t.Errorf("get: %v", err)
		}
		before := s.tried()
		to, err := l.get(t.Context())
		if err != nil || s.tried() != before {
			t.Errorf("a session is not kept: %v", err)
		}
		l.drop(to)
		if again, err := l.get(t.Context()); err != nil || again == to || s.tried() != before+1 {
			t.Errorf("after a session was dropped: %v, %v", again == to, err)
		}
		l.drop(to) // it is not the current one
		if s.tried() != before+1 || l.current.Load() == nil {
			t.Error("a session that is gone takes another one with it")
		}
	})
}

// A session is used until a better one is there, and its watches end before
// that one is.
func TestRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &servers{}
		l := newLink(s.connect)
		defer l.close()
		old, err := l.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w := newWatcher("")
		old.hub.add(w)
		s.set(true)
		time.Sleep(2 * renewAfter)
		l.renew(old)
		time.Sleep(2 * time.Second)
		if now, err := l.get(t.Context()); now != old || err != nil {
			t.Errorf("an attempt that failed took the session away: %v", err)
		}
		if _, _, err := w.take(); err != nil {
			t.Errorf("the watch has ended: %v", err)
		}
		s.set(false)
		time.Sleep(backOffLast)
		l.renew(old)
		time.Sleep(2 * time.Second)
		if now, err := l.get(t.Context()); now == old || err != nil {
			t.Errorf("the session was not renewed: %v", err)
		}
		if _, _, err := w.take(); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("the watch of the old session ends with %v", err)
		}
	})
}

func TestClosedLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink((&servers{}).connect)
		result := make(chan error)
		go func() {
			_, err := l.get(context.Background())
			result <- err
		}()
		synctest.Wait()
		l.close()
		if err := <-result; err == nil {
			t.Error("an attempt outlives the link")
		}
		if _, err := l.get(t.Context()); !errors.Is(err, cache.ErrClosed) {
			t.Errorf("get: %v", err)
		}
		l.close()
	})
}
