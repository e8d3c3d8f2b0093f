package shared

import (
	"io"
	"net"
	"runtime"
	"syscall"
	"time"
)

// A thread that waits for a socket is put to sleep, and is woken on a processor
// that sleeps too by then: that takes both sides longer than an answer, and
// more of their time than asking until it is there. So who reads from the lane
// asks again for a while before it waits, and lets other goroutines run in
// between. It does so while what it waits for comes soon on average, or at
// least sooner than to who waits: what the plugin asks another process for
// takes longer, but where most of that is for waking threads, asking spares a
// good part of it. When neither holds, ever more reads wait at once before it
// is tried again.
const (
	eagerMean  = 60 * time.Microsecond  // a read may take on average,
	eagerMost  = 150 * time.Microsecond // or so long, if one that waits takes a third longer
	eagerTrial = 16                     // reads before that is judged
	eagerSkip  = 255                    // reads that wait at once, at most
)

// eager reads from a socket and does not like to wait.
type eager struct {
	conn net.Conn
	raw  syscall.RawConn
	try  func(fd uintptr) bool // reads what is there

	buf   []byte // of try
	n     int
	err   error
	mean  time.Duration // what reads took, by and by
	tried int           // how many they are, up to eagerTrial
	skip  int           // how many reads wait at once, after those that took long
	left  int           // of them
	wait  time.Duration // what those took, by and by
}

// eagerly returns a reader of conn that does not like to wait, or conn where
// asking would keep everybody else from running.
func eagerly(conn net.Conn) io.Reader {
	c, ok := conn.(syscall.Conn)
	if !ok || runtime.GOMAXPROCS(0) == 1 {
		return conn
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return conn
	}
	e := &eager{conn: conn, raw: raw}
	e.try = func(fd uintptr) bool {
		e.n, e.err = syscall.Read(int(fd), e.buf)
		e.buf = nil // a long frame is its receiver's: 60 MB were kept until the next read
		return true // never wait
	}
	return e
}

// Read implements io.Reader.
func (e *eager) Read(p []byte) (int, error) {
	if e.left > 0 {
		return e.readLater(p)
	}
	// What takes much longer than usual may come from somebody who stands in
	// line for this very processor.
	usual := max(e.mean, eagerMean)
	var begun time.Time
	var took time.Duration
	for took < 2*usual {
		e.buf = p
		if err := e.raw.Read(e.try); err != nil {
			return 0, err
		}
		switch {
		case e.err == nil && e.n > 0:
			e.count(took)
			return e.n, nil
		case e.err != syscall.EAGAIN:
			return e.conn.Read(p) // which knows what to do
		case begun.IsZero():
			begun = time.Now()
		default:
			took = time.Since(begun)
		}
		runtime.Gosched()
	}
	n, err := e.conn.Read(p)
	e.count(time.Since(begun))
	return n, err
}

// readLater waits at once.
func (e *eager) readLater(p []byte) (int, error) {
	e.left--
	begun := time.Now()
	n, err := e.conn.Read(p)
	e.wait += (bounded(time.Since(begun)) - e.wait) / 8
	return n, err
}

// bounded is how much one read counts at most: perhaps there was nothing to
// come.
func bounded(took time.Duration) time.Duration { return min(took, 4*eagerMost) }

// count takes note of how long a read took that did not wait at once.
func (e *eager) count(took time.Duration) {
	e.mean += (bounded(took) - e.mean) / 8
	e.tried = min(e.tried+1, eagerTrial)
	switch {
	case e.mean > eagerMost:
	case e.tried < eagerTrial:
		return
	case e.mean <= eagerMean:
		e.skip = 0
		return
	case 4*e.mean <= 3*e.wait:
		e.skip = 0
		e.wait -= e.wait / 1024 // so that it is found out again
		return
	}
	e.skip = min(2*e.skip+1, eagerSkip)
	e.left, e.mean, e.tried = e.skip, eagerMean, 0
}
