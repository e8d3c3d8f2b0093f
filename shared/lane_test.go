//go:build unix

package shared

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"weak"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/storetest"
)

// socketPair returns the two ends of a connection.
func socketPair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "")
		if ends[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return ends[0], ends[1]
}

// openLanes returns a client whose calls on one key take the lane.
func openLanes(t *testing.T, store cache.Store, quick bool) *Client {
	t.Helper()
	s := newServer(store)
	c := NewClient(dial(t, s))
	if _, err := c.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	var ends [2]*lane
	for i, longest := range []int{laneSmall, c.Limits().MaxValue} {
		host, plugin := socketPair(t)
		ends[i] = newLane(host, answerHead+longest)
		ls := &laneServer{server: s, guard: &guard{log: newLogger(t.Output(), 0)}, conn: plugin, longest: longest, quick: quick}
		serving.Go(func() { _ = ls.serve(context.Background()) })
	}
	c.lanes = &lanes{ends[0], ends[1]}
	t.Cleanup(func() {
		c.lanes.close()
		serving.Wait()
	})
	return c
}

func TestConformanceOverTheLane(t *testing.T) {
	for _, quick := range []bool{true, false} {
		t.Run(fmt.Sprintf("quick=%v", quick), func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) cache.Store { return openLanes(t, memory(t), quick) })
		})
	}
}

// laneTo makes a lane whose other end is in the hands of a test.
func laneTo(t *testing.T, longest int) (*lane, net.Conn) {
	t.Helper()
	host, other := socketPair(t)
	l := newLane(host, answerHead+longest)
	t.Cleanup(func() { l.close(); _ = other.Close() })
	return l, other
}

func get(ctx context.Context, l *lane, key string, limit time.Duration) (laneAnswer, error) {
	return l.do(ctx, &laneRequest{op: laneGet, key: key}, limit)
}

// framesOf reads n frames and parses each; what it returns shares no memory with
// what is read later.
func framesOf[F any](t *testing.T, conn net.Conn, longest, n int, parse func([]byte) (F, error)) []F {
	t.Helper()
	f := frames{longest: longest}
	var got []F
	for len(got) < n {
		frame, _, err := f.next()
		if err != nil {
			t.Fatal(err)
		}
		if frame == nil {
			m, err := conn.Read(f.room())
			if err != nil {
				t.Fatal(err)
			}
			f.read(m)
			continue
		}
		parsed, err := parse(slices.Clone(frame))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, parsed)
	}
	return got
}

// requestsOf reads n requests.
func requestsOf(t *testing.T, conn net.Conn, n int) []laneRequest {
	t.Helper()
	return framesOf(t, conn, 2*outboxBound, n, parseRequest)
}

// answersOf reads n answers.
func answersOf(t *testing.T, conn net.Conn, n int) []laneAnswer {
	t.Helper()
	return framesOf(t, conn, answerHead+laneSmall, n, parseAnswer)
}

func answer(t *testing.T, conn net.Conn, answers ...laneAnswer) {
	t.Helper()
	var b []byte
	for i := range answers {
		b = append(b, flat(&answers[i])...)
	}
	if _, err := conn.Write(b); err != nil {
		t.Error(err)
	}
}

// A call that is given up, be it the one that reads for all, leaves the lane
// whole, and its answer is nobody else's.
func TestLaneCallsAreGivenUp(t *testing.T) {
	l, conn := laneTo(t, laneSmall)
	const callers = 20
	type result struct {
		i   int
		a   laneAnswer
		err error
	}
	results := make(chan result, callers)
	cancels := make([]context.CancelFunc, callers)
	for i := range callers {
		var ctx context.Context
		ctx, cancels[i] = context.WithCancel(t.Context())
		defer cancels[i]()
		go func() {
			a, err := get(ctx, l, fmt.Sprint(i), time.Minute)
			results <- result{i, a, err}
		}()
	}
	requests := requestsOf(t, conn, callers)
	for i := range callers / 2 {
		cancels[i]()
	}
	for range callers / 2 {
		if r := <-results; !errors.Is(r.err, context.Canceled) || r.i >= callers/2 {
			t.Errorf("caller %d: %v", r.i, r.err)
		}
	}
	// A new one may not be given the answer to an old one.
	fresh := make(chan result, 1)
	go func() {
		a, err := get(t.Context(), l, "fresh", time.Minute)
		fresh <- result{0, a, err}
	}()
	requests = append(requests, requestsOf(t, conn, 1)...)
	slices.Reverse(requests)
	for _, r := range requests {
		answer(t, conn, laneAnswer{id: r.id, flags: flagTrue, rest: []byte("of " + r.key)})
	}
	for range callers / 2 {
		if r := <-results; r.err != nil || string(r.a.rest) != fmt.Sprint("of ", r.i) {
			t.Errorf("caller %d: %q, %v", r.i, r.a.rest, r.err)
		}
	}
	if r := <-fresh; r.err != nil || string(r.a.rest) != "of fresh" {
		t.Errorf("the new caller: %q, %v", r.a.rest, r.err)
	}
	// Who calls next reads what nobody waited for.
	go func() {
		a, err := get(t.Context(), l, "next", time.Minute)
		fresh <- result{0, a, err}
	}()
	answer(t, conn, laneAnswer{id: requestsOf(t, conn, 1)[0].id})
	if r := <-fresh; r.err != nil {
		t.Errorf("the next caller: %v", r.err)
	}
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	if len(l.free) != len(l.places) || l.left != 0 || l.reader != nil || l.waiting.first != nil {
		t.Errorf("%d of %d places are free, %d left, one reads: %v", len(l.free), len(l.places), l.left, l.reader != nil)
	}
}

// What is not answered in time is late, for who reads and for who waits.
func TestLaneIsLate(t *testing.T) {
	l, conn := laneTo(t, laneSmall)
	errs := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := get(t.Context(), l, "k", 30*time.Millisecond)
			errs <- err
		}()
	}
	for range 3 {
		if err := <-errs; !errors.Is(err, errLate) {
			t.Errorf("no answer: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := get(ctx, l, "k", time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's deadline: %v", err)
	}
	if _, err := get(ctx, l, "k", time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's deadline, before the call: %v", err)
	}
	// It is whole all the same.
	done := make(chan error)
	go func() {
		_, err := get(t.Context(), l, "k", time.Minute)
		done <- err
	}()
	for _, r := range requestsOf(t, conn, 5) {
		if r.left == 0 || r.left > 60_000 {
			t.Errorf("the plugin is told that %d ms are left", r.left)
		}
		answer(t, conn, laneAnswer{id: r.id})
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// When the connection breaks, or the plugin answers what is no answer, whoever
// waits learns that nobody knows what was done, and so does who calls later.
func TestLaneBreaks(t *testing.T) {
	frame := func(a laneAnswer) []byte { return flat(&a) }
	for name, end := range map[string]func(net.Conn, []laneRequest){
		"closed":           func(c net.Conn, _ []laneRequest) { _ = c.Close() },
		"half an answer":   func(c net.Conn, r []laneRequest) { _, _ = c.Write(frame(laneAnswer{id: r[0].id})[:7]); _ = c.Close() },
		"answer to nobody": func(c net.Conn, _ []laneRequest) { _, _ = c.Write(frame(laneAnswer{id: 1 << 20})) },
		"second answer": func(c net.Conn, r []laneRequest) {
			_, _ = c.Write(append(frame(laneAnswer{id: r[0].id}), frame(laneAnswer{id: r[0].id})...))
		},
		"no answer": func(c net.Conn, _ []laneRequest) { _, _ = c.Write([]byte{3, 0, 0, 0, 1, 2, 3}) },
		"bad flags": func(c net.Conn, r []laneRequest) { _, _ = c.Write(frame(laneAnswer{id: r[0].id, flags: 128})) },
	} {
		t.Run(name, func(t *testing.T) {
			l, conn := laneTo(t, laneSmall)
			const callers = 8
			errs := make(chan error, callers)
			for range callers {
				go func() {
					_, err := get(t.Context(), l, "k", time.Minute)
					errs <- err
				}()
			}
			end(conn, requestsOf(t, conn, callers))
			failed := 0
			for range callers {
				if err := <-errs; errors.Is(err, ErrBroken) {
					failed++
				} else if err != nil {
					t.Errorf("it is called %v", err)
				}
			}
			if failed < callers-1 {
				t.Errorf("%d of %d know that it broke", failed, callers)
			}
			if _, err := get(t.Context(), l, "k", time.Minute); !errors.Is(err, ErrBroken) {
				t.Errorf("later: %v", err)
			}
		})
	}
}

// A plugin that takes nothing makes callers wait, within bounds of memory and
// time.
func TestLanePushesBack(t *testing.T) {
	l, conn := laneTo(t, laneSmall)
	const callers = 64
	value := make([]byte, laneSmall)
	errs := make(chan error, callers)
	for range callers {
		go func() {
			_, err := l.do(t.Context(), &laneRequest{op: laneSet, key: "k", value: value}, 300*time.Millisecond)
			errs <- err
		}()
	}
	for range callers {
		if err := <-errs; !errors.Is(err, errLate) {
			t.Errorf("Set: %v", err)
		}
	}
	l.out.mu.Lock()
	queued := l.out.queue.size()
	l.out.mu.Unlock()
	if queued > outboxBound+laneSmall+100 {
		t.Errorf("%d bytes are queued", queued)
	}
	// When it takes them again, all goes on.
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		l.out.mu.Lock()
		empty := l.out.queue.size() == 0 && !l.out.writing
		l.out.mu.Unlock()
		if empty {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the queue is not written")
		}
	}
}

// Callers that come and go at random, with values of all sizes, each get their
// own answer or none.
func TestLaneUnderLoad(t *testing.T) {
	for _, quick := range []bool{true, false} {
		t.Run(fmt.Sprintf("quick=%v", quick), func(t *testing.T) {
			c := openLanes(t, memory(t), quick)
			var wg sync.WaitGroup
			var late atomic.Int64
			for w := range 16 {
				wg.Go(func() {
					random := rand.New(rand.NewPCG(uint64(w), 0))
					for n := range 300 {
						key, size := fmt.Sprint(w), random.IntN(2000)
						if random.IntN(50) == 0 {
							size = laneSmall - 2 + random.IntN(100_000)
						}
						value := bytes.Repeat([]byte{byte(n)}, size)
						if err := c.Set(t.Context(), key, cache.Entry{Value: value}); err != nil {
							t.Error(err)
							return
						}
						ctx, cancel := t.Context(), context.CancelFunc(func() {})
						if random.IntN(4) == 0 {
							ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(200))*time.Microsecond)
						}
						e, ok, err := c.Get(ctx, key)
						cancel()
						switch {
						case errors.Is(err, context.DeadlineExceeded):
							late.Add(1)
						case err != nil || !ok || !bytes.Equal(e.Value, value):
							t.Errorf("Get %s: %d bytes of %d, %v, %v", key, len(e.Value), len(value), ok, err)
							return
						}
					}
				})
			}
			wg.Wait()
			t.Logf("%d calls were late", late.Load())
		})
	}
}

// A large value is its receiver's alone: the lane keeps no reference to it until
// the next one comes.
func TestLaneKeepsNoLargeValue(t *testing.T) {
	c := openLanes(t, memory(t), false)
	if err := c.Set(t.Context(), "k", cache.Entry{Value: make([]byte, 4*laneSmall)}); err != nil {
		t.Fatal(err)
	}
	// Several, since only some reads spin.
	var got [32]weak.Pointer[byte]
	for i := range got {
		e, found, err := c.Get(t.Context(), "k")
		if err != nil || !found || len(e.Value) != 4*laneSmall {
			t.Fatalf("%d bytes, %v, %v", len(e.Value), found, err)
		}
		got[i] = weak.Make(&e.Value[0])
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		kept := 0
		for _, p := range got {
			if p.Value() != nil {
				kept++
			}
		}
		if kept == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d values that nobody holds are kept", kept)
		}
	}
}
