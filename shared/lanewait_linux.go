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
// between. It does so while what it waits for comes soon on average; when it
// does not, ever more reads wait at once before it is tried again.
const (
	eagerFor  = 120 * time.Microsecond // at most
	eagerMean = 60 * time.Microsecond  // on average at most
	eagerSkip = 64                     // reads that wait at once, at most
)

// eager reads from a socket and does not like to wait.
type eager struct {
	conn net.Conn
	raw  syscall.RawConn
	try  func(fd uintptr) bool // reads what is there

	buf  []byte // of try
	n    int
	err  error
	mean time.Duration // what reads took, by and by
	skip int           // how many reads wait at once, after those that took long
	left int           // of them
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
		return true // never wait
	}
	return e
}

// Read implements io.Reader.
func (e *eager) Read(p []byte) (int, error) {
	if e.left > 0 {
		e.left--
		return e.conn.Read(p)
	}
	e.buf = p
	var begun time.Time
	var took time.Duration
	for took < eagerFor {
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
	e.count(took)
	return e.conn.Read(p)
}

// count takes note of how long a read took that did not wait at once.
func (e *eager) count(took time.Duration) {
	e.mean += (took - e.mean) / 8
	if e.mean <= eagerMean {
		e.skip = 0
		return
	}
	e.skip = min(2*e.skip+1, eagerSkip)
	e.left, e.mean = e.skip, eagerMean
}
