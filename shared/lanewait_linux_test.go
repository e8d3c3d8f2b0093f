package shared

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

// A reader that does not like to wait reads what a connection reads, and ends
// as it does.
func TestEagerReads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // on one it would keep others from running
	here, there := socketPair(t)
	defer there.Close()
	from := eagerly(here)
	if _, ok := from.(*eager); !ok {
		t.Fatal("it is an ordinary reader")
	}
	buf := make([]byte, 16)
	read := func() (string, error) {
		n, err := from.Read(buf)
		return string(buf[:n]), err
	}
	write := func(text string) {
		if _, err := there.Write([]byte(text)); err != nil {
			t.Error(err)
		}
	}
	write("now")
	if got, err := read(); got != "now" || err != nil {
		t.Errorf("what is there: %q, %v", got, err)
	}
	time.AfterFunc(eagerMean/2, func() { write("soon") })
	if got, err := read(); got != "soon" || err != nil {
		t.Errorf("what comes soon: %q, %v", got, err)
	}
	time.AfterFunc(20*eagerMost, func() { write("later") })
	if got, err := read(); got != "later" || err != nil {
		t.Errorf("what comes later: %q, %v", got, err)
	}
	for range 2 {
		_ = here.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		if got, err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("nothing in time: %q, %v", got, err)
		}
	}
	_ = here.SetReadDeadline(time.Time{})
	write("last")
	there.Close()
	if got, err := read(); got != "last" || err != nil {
		t.Errorf("the last: %q, %v", got, err)
	}
	if _, err := read(); err != io.EOF {
		t.Errorf("the end: %v", err)
	}
	here.Close()
	if _, err := read(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// Asking again stops paying off when answers take long, and is then tried ever
// less often; one that takes long does not count for much.
func TestEagerGivesUp(t *testing.T) {
	var e eager
	for range 100 {
		e.count(10 * time.Microsecond)
	}
	if e.count(eagerMost); e.left != 0 {
		t.Error("one long read is enough")
	}
	rounds := 0
	for ; e.skip < eagerSkip; rounds++ {
		if rounds > 100 {
			t.Fatalf("%d reads in a row that took long wait at once, not %d", e.skip, eagerSkip)
		}
		e.count(10 * eagerMost)
	}
	for e.left = 0; e.left == 0; rounds++ {
		if rounds > 100 {
			t.Fatal("it is not given up again")
		}
		e.count(10 * eagerMost)
	}
	if e.left != eagerSkip {
		t.Errorf("%d reads wait at once, not %d", e.left, eagerSkip)
	}
	for range eagerTrial {
		e.count(10 * time.Microsecond)
	}
	if e.skip != 0 {
		t.Error("answers that come soon do not count")
	}
}

// Answers that take a while are asked for if waiting for them takes yet longer,
// and that is looked at again from time to time.
func TestEagerCompares(t *testing.T) {
	const while = (eagerMean + eagerMost) / 2
	for _, c := range []struct {
		wait time.Duration
		asks bool
	}{{2 * while, true}, {while + while/10, false}, {0, false}} {
		e := eager{wait: c.wait}
		for range 4 * eagerTrial {
			e.count(while)
		}
		if asks := e.skip == 0; asks != c.asks {
			t.Errorf("reads take %v, and %v if they wait at once: asking goes on: %v", while, c.wait, asks)
		}
	}
	e := eager{wait: 2 * while}
	for n := 0; e.skip == 0; n++ {
		if n > 1<<16 {
			t.Fatal("what waiting takes is never looked at again")
		}
		e.count(while)
	}
}

// A read that waits at once is taken note of.
func TestEagerWaits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	here, there := socketPair(t)
	defer here.Close()
	defer there.Close()
	e := eagerly(here).(*eager)
	e.left = 1
	time.AfterFunc(time.Millisecond, func() { _, _ = there.Write([]byte("x")) })
	if n, err := e.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if e.left != 0 || e.wait == 0 || e.wait > bounded(time.Hour) {
		t.Errorf("%d more wait at once; they take %v", e.left, e.wait)
	}
}
