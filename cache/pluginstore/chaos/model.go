//go:build linux

package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/anishathalye/porcupine"
)

// kind is what an operation does to one key.
type kind int

const (
	get kind = iota
	set
	remove
	setIfAbsent
	swap
	swapDelete
	increment
	touch
)

func (k kind) String() string {
	return [...]string{"Get", "Set", "Delete", "SetIfAbsent", "CompareAndSwap", "CompareAndDelete", "Increment", "Touch"}[k]
}

// input is what one operation was asked to do.
type input struct {
	kind    kind
	value   string // what is written, by its name; see value.go
	old     string // what a swap expects
	delta   int64
	expires int64 // unix milliseconds; 0: never
	at      int64 // when it was called, on the clock that expiry goes by
}

// output is what one operation answered.
type output struct {
	unknown bool // no answer: it may have been done, or be done at any later time
	ok      bool // found, stored, swapped
	value   string
	expires int64
	sum     int64
}

// state is what one key holds by the last write.
type state struct {
	present bool
	value   string
	expires int64
}

// holds reports whether the entry could be seen by an operation called at at.
func (s state) holds(at int64) bool {
	return s.present && (s.expires == 0 || at < s.expires)
}

// cacheModel is a key of a cache. A cache may lose an entry at any moment, so
// Get may miss, and an atomic operation may find nothing, whatever was written;
// but what is found is the last write, and a loss that an atomic operation has
// seen and written over is final.
//
// An operation of unknown outcome never returns, so that the checker may place
// it after everything else, where it has no effect.
func cacheModel() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{}} },
		Step: func(s, in, out any) []any {
			next := step(s.(state), in.(input), out.(output))
			states := make([]any, len(next))
			for i, n := range next {
				states[i] = n
			}
			return states
		},
		DescribeOperation: func(in, out any) string { return describe(in.(input), out.(output)) },
		DescribeState: func(s any) string {
			if st := s.(state); st.present {
				return st.value + until(st.expires)
			}
			return "nothing"
		},
	}
	return m.ToModel()
}

// step returns the states that s may be in after the operation; none: it cannot
// have answered so.
func step(s state, in input, out output) []state {
	if out.unknown {
		return stepUnknown(s, in)
	}
	written := state{present: true, value: in.value, expires: in.expires}
	holds := s.holds(in.at)
	switch in.kind {
	case get:
		if !out.ok || holds && s.value == out.value && s.expires == out.expires {
			return []state{s}
		}
	case set:
		return []state{written}
	case remove:
		return []state{{}}
	case setIfAbsent:
		if out.ok {
			return []state{written}
		}
		if holds {
			return []state{s}
		}
	case swap, swapDelete:
		switch {
		case !out.ok:
			return []state{s}
		case holds && s.value == in.old && in.kind == swap:
			return []state{written}
		case holds && s.value == in.old:
			return []state{{}}
		}
	case increment:
		if holds && number(s.value)+in.delta == out.sum && s.expires == out.expires {
			return []state{{true, decimal(out.sum), s.expires}}
		}
		if out.sum == in.delta && out.expires == in.expires {
			return []state{{true, decimal(out.sum), in.expires}}
		}
	case touch:
		if !out.ok {
			return []state{s}
		}
		if holds {
			return []state{{true, s.value, in.expires}}
		}
	}
	return nil
}

// stepUnknown is the effect of an operation at the moment at which it is done,
// if it is.
func stepUnknown(s state, in input) []state {
	written := state{present: true, value: in.value, expires: in.expires}
	switch in.kind {
	case set, setIfAbsent:
		return []state{written}
	case remove:
		return []state{{}}
	case swap:
		if s.present && s.value == in.old {
			return []state{written}
		}
	case swapDelete:
		if s.present && s.value == in.old {
			return []state{{}}
		}
	case increment:
		anew := state{true, decimal(in.delta), in.expires}
		if !s.present {
			return []state{anew}
		}
		return []state{anew, {true, decimal(number(s.value) + in.delta), s.expires}}
	case touch:
		if s.present {
			return []state{{true, s.value, in.expires}}
		}
	}
	return []state{s}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// number reads a counter; what is none makes the sum wrong, and the history
// with it.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1 << 62
	}
	return n
}

func until(expires int64) string {
	if expires == 0 {
		return ""
	}
	return " until " + clock(expires)
}

// clock shows a time as far as it differs within a run.
func clock(ms int64) string { return time.UnixMilli(ms).Format("05.000") }

func describe(in input, out output) string {
	text := in.kind.String()
	switch in.kind {
	case set, setIfAbsent:
		text += " " + in.value + until(in.expires)
	case swap, swapDelete:
		text += fmt.Sprintf(" %s for %s%s", in.value, in.old, until(in.expires))
	case increment:
		text += fmt.Sprintf(" by %d", in.delta)
	case touch:
		text += until(in.expires)
	}
	switch {
	case out.unknown:
		return text + " -> unknown"
	case in.kind == get && !out.ok:
		return text + " -> miss"
	case in.kind == get:
		return text + " -> " + out.value + until(out.expires)
	case in.kind == increment:
		return text + " -> " + decimal(out.sum)
	case in.kind == set || in.kind == remove:
		return text
	}
	return fmt.Sprintf("%s -> %v", text, out.ok)
}
