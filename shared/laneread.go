package shared

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// How the host reads answers: one of the callers does it for all.

// drain reads the answers that nobody waits for, until somebody calls: a plugin
// that cannot write them comes to take nothing either, and one that can write
// nothing, or is sent nothing, for long thinks the connection broken, or is
// thought so.
func (l *lane) drain() {
	l.out.mu.Lock()
	l.drains = false
	if l.reader != nil {
		l.out.mu.Unlock()
		return // and passes on
	}
	s := newSlot()
	s.drains = true
	l.reader = s
	l.out.mu.Unlock()
	l.read(context.Background(), s)
}

// read reads answers for all until s, the reader's, is settled, and lets
// another go on.
func (l *lane) read(ctx context.Context, s *slot) {
	var failed error
	for first := true; ; first = false {
		var settled slotList
		l.batch = l.batch[:0]
		if !first {
			failed = l.fill()
		}
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
				l.batch = append(l.batch, a)
			}
		}
		now := time.Now()
		l.out.mu.Lock()
		l.now = now
		for i := range l.batch {
			if err := l.settle(&l.batch[i], &settled); err != nil && failed == nil {
				failed = err
			}
		}
		clear(l.batch)
		if failed != nil {
			l.out.breakDown(failed)
		}
		if now.Sub(l.swept) > laneTick {
			l.swept = now
			l.sweep(now)
			if err := ctx.Err(); err != nil && !s.settled {
				l.leave(s, err)
			}
		}
		over := s.settled
		if s.drains {
			over = l.left == 0 || l.out.err != nil || l.waiting.first != nil || settled.first != nil
		}
		if over {
			l.passOn()
		}
		l.out.mu.Unlock()
		// Not before: those who are told would wait for the mutex.
		settled.tell()
		if over {
			return
		}
	}
}

// fill waits for more to read, for two ticks at most.
func (l *lane) fill() error {
	if now := time.Now(); l.until.Sub(now) < laneTick {
		l.until = now.Add(2 * laneTick)
		_ = l.conn.SetReadDeadline(l.until)
	}
	n, err := l.from.Read(l.in.room())
	l.in.read(n)
	if n > 0 {
		l.moved.Add(1)
	}
	if n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// settle gives an answer to the slot that it is for, and adds that to those
// that are to be told; the mutex is held.
func (l *lane) settle(a *laneAnswer, settled *slotList) error {
	if uint64(a.id) >= uint64(len(l.places)) {
		return fmt.Errorf("%w: an answer to nothing", errFrame)
	}
	p := &l.places[a.id]
	s := p.slot
	switch {
	case p.left != nil:
		l.left--
		defer p.left.end()
	case s == nil:
		return fmt.Errorf("%w: a second answer", errFrame)
	default:
		s.answer, s.settled = *a, true
		if s != l.reader {
			l.waiting.remove(s)
			settled.add(s)
		}
	}
	*p = place{}
	l.free = append(l.free, a.id)
	return nil
}

// sweep gives up the requests whose deadline has passed; the mutex is held.
func (l *lane) sweep(now time.Time) {
	for i := range l.places {
		if s := l.places[i].slot; s != nil && now.After(s.deadline) {
			l.fail(s, errLate)
		}
	}
	if l.left > laneLeft {
		l.out.breakDown(fmt.Errorf("%d requests were not answered", l.left))
	}
}
