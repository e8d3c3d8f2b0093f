package shared

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// lane is the host's end of one connection of the lane. One of those who wait
// for an answer reads for all; when it has its own, another takes over. With
// the outbox, a call needs no goroutine but its caller's. One that neither
// writes nor reads takes one mutex once: to queue its request and to be found
// by whoever reads the answer.
type lane struct {
	conn net.Conn
	out  outbox // its mutex guards what is below, too

	reader  *slot     // whose caller reads, or was told to; nil: there is none, and nobody in waiting
	waiting slotList  // the others, in the order in which they came, but for who writes
	places  []place   // by id
	free    []uint32  // ids
	left    int       // places
	queued  uint64    // requests, so far
	drains  bool      // see drain
	now     time.Time // when the reader looked: about two ticks ago at most

	idle  sync.Pool     // of slots
	count *hostCount    // of its requests; nil: nobody counts
	moved atomic.Uint64 // reads that brought something, and writes that were taken

	// Of who reads.
	from  io.Reader // the connection
	in    frames
	batch []laneAnswer
	until time.Time // deadline of reads
	swept time.Time
}

// place is what an answer finds under its id, which is not used again before it
// came: or the answer to a request that was given up could be taken for that to
// another.
type place struct {
	slot *slot
	left *pending // not nil: the caller has returned
}

const (
	// laneTick is how long a reader waits at least before it looks at deadlines;
	// it notices them by twice that later.
	laneTick = 20 * time.Millisecond
	// laneDrain is how long answers that nobody waits for may be left unread.
	laneDrain = 100 * time.Millisecond
	// laneLeft bounds the requests that were given up and never answered.
	laneLeft = 1 << 16
)

func newLane(conn net.Conn, longest int) *lane {
	l := &lane{conn: conn, from: eagerly(conn), in: frames{longest: longest, answers: true}}
	l.idle.New = func() any { return newSlot() }
	l.out = outbox{conn: conn, broken: l.broken}
	return l
}

// errLate: the deadline of the lane's own has passed.
var errLate = errors.New("late")

// do sends a request and returns its answer. The error wraps ErrBroken, or is
// errLate after about limit, or that of ctx.
func (l *lane) do(ctx context.Context, r *laneRequest, limit time.Duration) (laneAnswer, error) {
	if err := ctx.Err(); err != nil {
		return laneAnswer{}, err
	}
	left := limit
	if d, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(d))
	}
	s := l.idle.Get().(*slot)
	reads, number := false, uint64(0)
	writes, err := l.out.add(ctx, limit, func(q *frameQueue, waited time.Duration) {
		if l.reader == nil {
			l.now = time.Now()
		}
		s.deadline = l.now.Add(limit - waited)
		l.place(s)
		l.queued++
		number = l.queued
		r.id, r.left = s.id, uint32(max(1, (left-waited).Milliseconds()))
		r.add(q)
		if l.out.writing {
			// With the request queued: an answer cannot come in between. Who
			// writes itself does not read meanwhile, and joins afterwards.
			reads = l.readOrWait(s)
		}
	})
	if err != nil {
		l.idle.Put(s)
		return laneAnswer{}, l.failed(err, 0)
	}
	if writes {
		l.out.write()
		reads = l.join(s)
	}
	for !reads {
		t, ended := s.await(ctx)
		if ended != nil {
			l.giveUp(s, ended)
		} else if t == turnRead {
			reads = true
			continue
		}
		break
	}
	if reads {
		l.read(ctx, s)
	}
	answer, err := s.answer, s.err
	s.settled, s.answer, s.err = false, laneAnswer{}, nil
	l.idle.Put(s)
	if err != nil {
		err = l.failed(err, number)
	}
	return answer, err
}

// failed tells of the error of a lane that broke which request had it.
func (l *lane) failed(err error, number uint64) error {
	if errors.Is(err, ErrBroken) {
		return &unansweredCall{err, l.count, number}
	}
	return err
}

// place gives a slot an id under which it is found; the mutex is held.
func (l *lane) place(s *slot) {
	if n := len(l.free); n > 0 {
		s.id, l.free = l.free[n-1], l.free[:n-1]
		l.places[s.id].slot = s
		return
	}
	s.id = uint32(len(l.places))
	l.places = append(l.places, place{slot: s})
}

// join has a caller that wrote for others read or wait as they do, unless it
// has its answer already. It reports whether it is to read.
func (l *lane) join(s *slot) bool {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	return !s.settled /* and told so */ && l.readOrWait(s)
}

// readOrWait makes s the reader's, if there is none, and has it wait otherwise;
// the mutex is held.
func (l *lane) readOrWait(s *slot) (reads bool) {
	if l.reader == nil {
		l.reader = s
		return true
	}
	l.waiting.add(s)
	return false
}

// giveUp settles a slot for which somebody waited in vain, unless it is settled.
func (l *lane) giveUp(s *slot, err error) {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	if l.reader == s {
		// It was told to read, be it just now.
		<-s.turn
		if !s.settled {
			l.leave(s, err)
		}
		l.passOn()
		return
	}
	if s.settled {
		l.out.mu.Unlock()
		<-s.turn
		l.out.mu.Lock()
		return
	}
	l.leave(s, err)
}

// leave settles a slot whose answer has not come, and may come yet; the mutex
// is held.
func (l *lane) leave(s *slot, err error) {
	call := &pending{}
	s.settled, s.err = true, &pendingCall{err, call}
	l.places[s.id] = place{left: call}
	l.left++
	l.waiting.remove(s)
}

// passOn lets another caller read; the mutex is held. The last that came is
// likely the last to be answered.
func (l *lane) passOn() {
	l.reader = l.waiting.last
	switch {
	case l.reader != nil:
		l.waiting.remove(l.reader)
		l.reader.turn <- turnRead
	case l.left > 0 && !l.drains && l.out.err == nil:
		l.drains = true
		time.AfterFunc(laneDrain, l.drain)
	}
}

// fail leaves a slot and tells its caller; the mutex is held.
func (l *lane) fail(s *slot, err error) {
	l.leave(s, err)
	if s != l.reader {
		s.turn <- turnOver
	}
}

// broken settles all requests: nobody knows which of them were done; the mutex
// is held.
func (l *lane) broken(err error) {
	l.out.err = fmt.Errorf("%w: %w", ErrBroken, err)
	_ = l.conn.Close()
	for i := range l.places {
		if s := l.places[i].slot; s != nil {
			l.fail(s, l.out.err)
		}
	}
}

// close breaks the lane: who waits, waits no more.
func (l *lane) close() { l.out.fail(net.ErrClosed) }
