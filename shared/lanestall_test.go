//go:build unix

package shared

import (
	"net"
	"sync"
	"testing"
	"time"
)

// within polls until done, for ten seconds at most.
func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// The answers to calls that all were given up are read, though nobody calls any
// more: a plugin that cannot write them would take nothing either, and be
// thought dead.
func TestLaneReadsWhatNobodyWaitsFor(t *testing.T) {
	const size = 4 << 20 // more than a socket holds
	l, conn := laneTo(t, size)
	const callers = 3
	var calls sync.WaitGroup
	for range callers {
		calls.Go(func() {
			if _, err := get(t.Context(), l, "k", time.Millisecond); err == nil {
				t.Error("a call that was not answered has an answer")
			}
		})
	}
	requests := requestsOf(t, conn, callers)
	calls.Wait()
	_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	for _, r := range requests {
		answer(t, conn, laneAnswer{id: r.id, rest: make([]byte, size)})
	}
	within(t, "ids are not free that were answered", func() bool {
		l.out.mu.Lock()
		defer l.out.mu.Unlock()
		return l.left == 0 && l.reader == nil && !l.drains
	})
	// Who calls meanwhile reads again.
	done := make(chan error)
	go func() {
		_, err := get(t.Context(), l, "k", time.Minute)
		done <- err
	}()
	answer(t, conn, laneAnswer{id: requestsOf(t, conn, 1)[0].id})
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// heldConn writes when it may.
type heldConn struct {
	net.Conn
	may chan struct{}
}

func (c heldConn) Write(b []byte) (int, error) {
	<-c.may
	return c.Conn.Write(b)
}

// Who writes does not keep others from reading.
func TestLaneReadsWhileSomebodyWrites(t *testing.T) {
	host, conn := socketPair(t)
	held := heldConn{host, make(chan struct{})}
	l := newLane(held, answerHead+laneSmall)
	t.Cleanup(func() { l.close(); _ = conn.Close() })
	calls := func(n int) func() bool {
		return func() bool {
			l.out.mu.Lock()
			defer l.out.mu.Unlock()
			return len(l.places) == n
		}
	}
	first, second := make(chan error, 1), make(chan error, 1)
	for i, done := range []chan error{first, second} {
		go func() {
			_, err := get(t.Context(), l, "k", time.Minute)
			done <- err
		}()
		within(t, "a call is not made", calls(i+1))
	}
	answer(t, conn, laneAnswer{id: 1})
	select {
	case err := <-second:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("an answer is not read while another caller writes")
	}
	close(held.may)
	answer(t, conn, laneAnswer{id: 0})
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// The time that a call waits until its request is queued is some of its own,
// and the plugin is told of the rest.
func TestLaneCountsTheWaitForRoom(t *testing.T) {
	l, conn := laneTo(t, laneSmall)
	const limit = time.Minute
	filler := make(chan error, 2)
	for i := range cap(filler) {
		go func() {
			_, err := l.do(t.Context(), &laneRequest{op: laneSet, key: "fills", value: make([]byte, outboxBound+1)}, limit)
			filler <- err
		}()
		within(t, "the queue is not full", func() bool {
			l.out.mu.Lock()
			defer l.out.mu.Unlock()
			// The first is being written.
			return len(l.places) == i+1 && (l.out.queue.size() > outboxBound) == (i == 1)
		})
	}
	done := make(chan error, 1)
	begun := time.Now()
	go func() {
		_, err := get(t.Context(), l, "waits", limit)
		done <- err
	}()
	within(t, "a call does not wait", func() bool {
		l.out.mu.Lock()
		defer l.out.mu.Unlock()
		return l.out.space != nil
	})
	waits := time.Now()
	time.Sleep(20 * time.Millisecond) // of the call's
	waited := time.Since(waits)
	for _, r := range requestsOf(t, conn, 3) {
		if r.key == "waits" {
			if left := time.Duration(r.left) * time.Millisecond; left > limit-waited {
				t.Errorf("%v are left of %v after %v", left, limit, waited)
			}
			l.out.mu.Lock()
			if deadline := l.places[r.id].slot.deadline; deadline.After(begun.Add(limit + laneTick)) {
				t.Errorf("its deadline is %v after it began", deadline.Sub(begun))
			}
			l.out.mu.Unlock()
		}
		answer(t, conn, laneAnswer{id: r.id})
	}
	for _, c := range []chan error{filler, filler, done} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
}
