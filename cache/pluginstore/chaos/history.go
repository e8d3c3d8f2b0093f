//go:build linux

package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// record is one operation on one key. Its times are nanoseconds since the run
// began, on the monotonic clock.
type record struct {
	key        string
	client     int
	in         input
	out        output
	call, ret  int64
	generation uint64 // the plugin's process when the operation had returned
	outage     uint64 // during which it was called, if only the plugin can do it
}

// noReturn is the return time of an operation of unknown outcome.
const noReturn = math.MaxInt64

// segment is the history of one cycle. At its ends no operation is under way,
// so that what each key holds is carried over exactly: by a record of the last
// write, if it is certain, or by writing the key anew, which the driver does;
// and operations of unknown outcome stay in the history while the process
// lives that may still be doing them.
type segment struct {
	heads   map[string]record   // what keys hold at the start
	pending map[string][]record // of unknown outcome, from segments before
	records []record
}

// byKey returns each key's history in the order of calls.
func (s *segment) byKey() map[string][]record {
	keys := make(map[string][]record)
	for _, r := range s.records {
		keys[r.key] = append(keys[r.key], r)
	}
	for key, records := range keys {
		if head, ok := s.heads[key]; ok {
			records = append(records, head)
		}
		records = append(records, s.pending[key]...)
		slices.SortStableFunc(records, func(a, b record) int { return cmp.Compare(a.call, b.call) })
		keys[key] = records
	}
	return keys
}

// carried returns the operations of unknown outcome that may still be done
// once a process of the given generation serves: those that it was sent itself.
func (s *segment) carried(generation uint64) map[string][]record {
	left := make(map[string][]record)
	for key, pending := range s.pending {
		for _, r := range pending {
			if r.generation >= generation {
				left[key] = append(left[key], r)
			}
		}
	}
	for _, r := range s.records {
		if r.out.unknown && r.generation >= generation {
			left[r.key] = append(left[r.key], r)
		}
	}
	return left
}

// verdict is what is wrong with one key's history.
type verdict struct {
	key     string
	records []record
	reason  string
	ops     []porcupine.Operation
}

// check returns the keys whose history contradicts the model. What cannot be
// checked within timeout counts as wrong.
func (s *segment) check(timeout time.Duration) []verdict {
	var wrong []verdict
	model := cacheModel()
	for key, records := range s.byKey() {
		ops := operations(records)
		switch porcupine.CheckOperationsTimeout(model, ops, timeout) {
		case porcupine.Illegal:
			wrong = append(wrong, verdict{key, records, "a stale or impossible answer", ops})
		case porcupine.Unknown:
			wrong = append(wrong, verdict{key, records, fmt.Sprintf("%d operations could not be checked in %v", len(ops), timeout), ops})
		}
	}
	slices.SortFunc(wrong, func(a, b verdict) int { return strings.Compare(a.key, b.key) })
	return wrong
}

// says reports whether an answer is one that only some histories allow. A miss,
// and a swap or a touch that found nothing, are allowed in every state and
// change none.
func (r record) says() bool {
	switch r.in.kind {
	case get, swap, swapDelete, touch:
		return r.out.ok || r.out.unknown
	}
	return true
}

// operations turns a key's records into what the checker takes: those that say
// something. Each operation of unknown outcome doubles the orders to be tried, so those that
// can explain no answer are left out: that a key was emptied, and that a value
// was written which nobody saw, are no more than a miss that never ends. What
// the latter would explain, that somebody found the key taken, is then taken
// for granted.
func operations(records []record) []porcupine.Operation {
	seen := make(map[string]bool)
	for _, r := range records {
		if r.out.unknown {
			continue
		}
		if r.in.kind == get && r.out.ok {
			seen[r.out.value] = true
		}
		if (r.in.kind == swap || r.in.kind == swapDelete) && r.out.ok {
			seen[r.in.old] = true
		}
	}
	var ops []porcupine.Operation
	unseen := false
	for _, r := range records {
		if !r.says() {
			continue
		}
		if r.out.unknown {
			switch r.in.kind {
			case get, remove, swapDelete:
				continue
			case set, setIfAbsent, swap:
				if !seen[r.in.value] {
					unseen = true
					continue
				}
			}
		}
		if unseen && r.in.kind == setIfAbsent && !r.out.ok && !r.out.unknown {
			continue
		}
		if unseen && r.in.kind == touch && r.out.ok {
			r.out, r.ret = output{unknown: true}, noReturn
		}
		ops = append(ops, porcupine.Operation{ClientId: r.client, Input: r.in, Call: r.call, Output: r.out, Return: r.ret})
	}
	return ops
}
