package server

import "sync/atomic"

// budget bounds the bytes of values that are in memory for clients which have
// yet to send or take the rest: their number is not bounded, and a slow one
// holds a value for minutes.
type budget struct{ left atomic.Int64 }

// uncounted is what every value gets without asking, so that small ones pass
// however much large ones hold.
const uncounted = 64 << 10

func newBudget(n int64) *budget {
	b := new(budget)
	b.left.Store(n)
	return b
}

// share is what one value has of a budget.
type share struct {
	of   *budget
	held int64
}

// hold makes the share large enough for a value of n bytes, and reports
// whether the budget had so much.
func (s *share) hold(n int) bool {
	more := int64(n) - uncounted - s.held
	if more <= 0 {
		return true
	}
	if s.of.left.Add(-more) < 0 {
		s.of.left.Add(more)
		return false
	}
	s.held += more
	return true
}

func (s *share) release() {
	s.of.left.Add(s.held)
	s.held = 0
}
