package server

import (
	"sync/atomic"

	"github.com/harpia-go/harpia/internal/reclaim"
)

// Admission bounds the bytes of values that are in memory for clients which
// have yet to send or take the rest, on their way in and out. The number of
// clients is not bounded, and a slow one holds a value for minutes. All front
// ends of a process share one Admission.
type Admission struct {
	bound   int64
	held    atomic.Int64
	reclaim *reclaim.Reclaimer
}

// uncounted is what every value gets without asking, so that small ones pass
// however much large ones hold.
const uncounted = 64 << 10

// MaxBuffered is the usual bound where values have at most maxValue bytes.
func MaxBuffered(maxValue int) int64 { return 8 * int64(maxValue) }

// NewAdmission admits values of bound bytes together. It reports what it admits
// to r, which may be nil.
func NewAdmission(bound int64, r *reclaim.Reclaimer) *Admission {
	return &Admission{bound: bound, reclaim: r}
}

// share is what one value has of an Admission.
type share struct {
	of   *Admission
	held int64
}

// hold makes the share fit a value of n bytes, and reports whether there was
// room for it.
func (s *share) hold(n int) bool {
	more := max(0, int64(n)-uncounted) - s.held
	if more == 0 {
		return true
	}
	if s.of.held.Add(more) > s.of.bound && more > 0 {
		s.of.held.Add(-more)
		return false
	}
	s.held += more
	s.of.reclaim.Add(more)
	return true
}

func (s *share) release() { s.hold(0) }
