package shared

import (
	"context"
	"time"
)

// slot is one request in flight. Its id is not used again before it was
// answered, or the answer to one that was given up could be taken for that to
// another.
type slot struct {
	id       uint32
	deadline time.Time
	turn     chan struct{} // the caller shall look: it is settled, or it is to read
	settled  bool
	reads    bool // it is the caller's turn to read
	left     bool // nobody waits any more

	answer laneAnswer // its rest is the slot's own
	err    error

	prev, next *slot // in lane.waiting
}

// await waits for the caller's turn to look, or for the end of ctx.
func (s *slot) await(ctx context.Context) error {
	done := ctx.Done()
	if done == nil {
		<-s.turn
		return nil
	}
	select {
	case <-s.turn:
		return nil
	case <-done:
		return ctx.Err()
	}
}

func (s *slot) wake() {
	select {
	case s.turn <- struct{}{}:
	default:
	}
}

// slotList is a doubly linked list of slots.
type slotList struct{ first, last *slot }

func (l *slotList) add(s *slot) {
	if s.prev = l.last; s.prev != nil {
		s.prev.next = s
	} else {
		l.first = s
	}
	l.last = s
}

// remove does nothing if s is not in the list.
func (l *slotList) remove(s *slot) {
	switch {
	case s.prev != nil:
		s.prev.next = s.next
	case l.first == s:
		l.first = s.next
	default:
		return
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		l.last = s.prev
	}
	s.prev, s.next = nil, nil
}
