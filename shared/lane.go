package shared

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// lane is the host's end of one connection of the lane. One of those who wait
// for an answer reads for all; when it has its own, another takes over. With
// the outbox, a call needs no goroutine but its caller's.
type lane struct {
	conn net.Conn
	out  outbox

	mu  sync.Mutex
	err error // why the lane is broken

	reading bool
	in      frames       // of who reads
	batch   []laneAnswer // of who reads
	until   time.Time    // deadline of reads
	swept   time.Time

	slots   []*slot // by id
	free    []*slot
	waiting slotList // for an answer, in the order in which they came
}

const (
	// laneTick is how late those who read and write notice deadlines.
	laneTick = 20 * time.Millisecond
	// laneSlots bounds the requests that were given up and never answered, and
	// those in flight.
	laneSlots = 1 << 16
)

func newLane(conn net.Conn, longest int) *lane {
	l := &lane{conn: conn, in: frames{longest: longest}}
	l.out = outbox{conn: conn, broken: func(err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.breakDown(err)
	}}
	return l
}

// errLate: the deadline of the lane's own has passed.
var errLate = errors.New("late")

// do sends a request and returns its answer. The error wraps ErrBroken, or is
// errLate once deadline has passed, or that of ctx.
func (l *lane) do(ctx context.Context, r *laneRequest, now, deadline time.Time) (laneAnswer, error) {
	if err := ctx.Err(); err != nil {
		return laneAnswer{}, err
	}
	until := deadline
	if d, ok := ctx.Deadline(); ok && d.Before(until) {
		until = d
	}
	r.left = uint32(max(1, until.Sub(now).Milliseconds()))
	l.mu.Lock()
	if l.err != nil {
		defer l.mu.Unlock()
		return laneAnswer{}, l.err
	}
	s := l.take(deadline)
	l.mu.Unlock()
	r.id = s.id
	err := l.out.add(ctx, deadline, r.add)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		// Nothing was sent, so nothing will be answered.
		s.settled, s.left = true, false
		l.release(s)
		return laneAnswer{}, err
	}
	for !s.settled {
		if !l.reading {
			l.reading = true
			l.mu.Unlock()
			l.read(ctx, s)
			continue // locked
		}
		l.waiting.add(s)
		l.mu.Unlock()
		given := s.await(ctx)
		l.mu.Lock()
		if l.waiting.remove(s); given != nil && !s.settled {
			l.leave(s, given)
		}
		if s.reads {
			// The turn came, be it too late: l.reading is this caller's.
			s.reads = false
			l.reading = false
			if s.settled {
				l.passOn()
			}
		}
	}
	answer, err := s.answer, s.err
	l.release(s)
	return answer, err
}

// take returns a slot for a request; l.mu is held.
func (l *lane) take(deadline time.Time) *slot {
	var s *slot
	if n := len(l.free); n > 0 {
		s, l.free = l.free[n-1], l.free[:n-1]
	} else {
		s = &slot{id: uint32(len(l.slots)), turn: make(chan struct{}, 1)}
		l.slots = append(l.slots, s)
	}
	s.deadline, s.settled, s.left = deadline, false, false
	return s
}

// release gives a settled slot back, unless its answer is still to come; l.mu
// is held.
func (l *lane) release(s *slot) {
	select {
	case <-s.turn:
	default:
	}
	s.answer, s.err = laneAnswer{}, nil
	if !s.left {
		l.free = append(l.free, s)
	}
}

// leave settles a slot whose answer has not come, and may come yet; l.mu is
// held.
func (l *lane) leave(s *slot, err error) {
	s.settled, s.left, s.err = true, true, err
	l.waiting.remove(s)
}

// passOn lets another caller read; l.mu is held. The last that came is likely
// the last to be answered.
func (l *lane) passOn() {
	if s := l.waiting.last; s != nil && !l.reading {
		l.reading, s.reads = true, true
		s.wake()
	}
}

// read reads answers for all until s is settled, and lets another go on. It
// returns with l.mu held.
func (l *lane) read(ctx context.Context, s *slot) {
	var failed error
	for {
		batch := l.batch[:0]
		for failed == nil {
			var frame []byte
			var own bool
			if frame, own, failed = l.in.next(); frame == nil {
				break
			}
			var a laneAnswer
			if a, failed = parseAnswer(frame); failed == nil {
				if len(a.rest) > 0 && !own {
					a.rest = append(make([]byte, 0, len(a.rest)), a.rest...)
				}
				batch = append(batch, a)
			}
		}
		l.mu.Lock()
		for i := range batch {
			if err := l.settle(&batch[i]); err != nil && failed == nil {
				failed = err
			}
		}
		clear(batch)
		l.batch = batch
		if failed != nil {
			l.breakDown(failed)
		}
		if now := time.Now(); now.Sub(l.swept) > laneTick {
			l.swept = now
			l.sweep(now)
			if err := ctx.Err(); err != nil && !s.settled {
				l.leave(s, err)
			}
		}
		if s.settled {
			l.reading = false
			l.passOn()
			return
		}
		l.mu.Unlock()
		failed = l.fill()
	}
}

// fill waits for more to read, for a tick at most.
func (l *lane) fill() error {
	if now := time.Now(); l.until.Sub(now) < laneTick {
		l.until = now.Add(2 * laneTick)
		_ = l.conn.SetReadDeadline(l.until)
	}
	n, err := l.conn.Read(l.in.room())
	l.in.read(n)
	if n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// settle gives an answer to the slot that it is for; l.mu is held.
func (l *lane) settle(a *laneAnswer) error {
	if uint64(a.id) >= uint64(len(l.slots)) {
		return fmt.Errorf("%w: an answer to nothing", errFrame)
	}
	s := l.slots[a.id]
	switch {
	case s.left:
		s.left = false
		l.free = append(l.free, s)
	case s.settled:
		return fmt.Errorf("%w: a second answer", errFrame)
	default:
		s.answer, s.settled = *a, true
		l.waiting.remove(s)
		s.wake()
	}
	return nil
}

// sweep gives up the requests whose deadline has passed; l.mu is held.
func (l *lane) sweep(now time.Time) {
	left := 0
	for _, s := range l.slots {
		if !s.settled && now.After(s.deadline) {
			l.leave(s, errLate)
			s.wake()
		}
		if s.left {
			left++
		}
	}
	if left > laneSlots {
		l.breakDown(fmt.Errorf("%d requests were not answered", left))
	}
}

// breakDown settles all requests: nobody knows which of them were done; l.mu is
// held.
func (l *lane) breakDown(err error) {
	if l.err != nil {
		return
	}
	l.err = fmt.Errorf("%w: %w", ErrBroken, err)
	_ = l.conn.Close()
	for _, s := range l.slots {
		if !s.settled {
			l.leave(s, l.err)
			s.wake()
		}
	}
}

// close breaks the lane: who waits, waits no more.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.breakDown(net.ErrClosed)
}
