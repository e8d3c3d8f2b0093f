package shared

import (
	"context"
	"time"
)

// slot is one request in flight, from its caller's point of view. What the lane
// does with it, it does under its mutex, until the slot is settled and its
// caller was told: from then on it is the caller's alone.
type slot struct {
	id       uint32
	deadline time.Time
	turn     chan turn // tells the caller, once
	settled  bool
	drains   bool       // of nobody who waits: see lane.drain
	answer   laneAnswer // its rest is the slot's own
	err      error

	prev, next *slot // in a slotList
}

// turn is what a caller that waits is told.
type turn uint8

const (
	turnOver turn = iota // the slot is settled
	turnRead             // it is the caller's turn to read for all
)

func newSlot() *slot { return &slot{turn: make(chan turn, 1)} }

// await waits for the caller's turn, or for the end of ctx.
func (s *slot) await(ctx context.Context) (turn, error) {
	done := ctx.Done()
	if done == nil {
		return <-s.turn, nil
	}
	select {
	case t := <-s.turn:
		return t, nil
	case <-done:
		return 0, ctx.Err()
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

// tell takes all slots, which are settled, out of the list and tells their
// callers. A slot that was told of is another's already.
func (l *slotList) tell() {
	for s := l.first; s != nil; {
		next := s.next
		s.prev, s.next = nil, nil
		s.turn <- turnOver
		s = next
	}
	*l = slotList{}
}
