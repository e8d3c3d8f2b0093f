//go:build unix

package main

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// operation is a call on one key, as its caller saw it. Numbers stand for
// values, 0 for none; no two writes write the same.
type operation struct {
	host, client int
	key, kind    string
	arg, old     int64 // what is written or added; what a swap expects
	value        int64 // what was read, or the sum
	ok           bool
	unknown      bool // it failed, and may have been done
	changes      []int64
	call, ret    int64
	latest       int64 // when it was done, at the latest
}

// history is what the callers of all hosts saw.
type history struct {
	clock  atomic.Int64
	mu     sync.Mutex
	ops    []*operation
	deaths []death
}

// death is one of a host's plugin: it had not happened at before, and at
// settled the server had done all that it would ever do of what it was sent, and
// another process served.
type death struct {
	host            int
	before, settled int64
}

// now is a moment between the calls and returns of operations.
func (h *history) now() int64 { return h.clock.Add(1) }

// add adds operations that were called at call, by one call, and have just
// returned.
func (h *history) add(call int64, err error, ops ...*operation) {
	ret := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range ops {
		op.call, op.ret, op.latest, op.unknown = call, ret, ret, err != nil
		h.ops = append(h.ops, op)
	}
}

// settle makes the operations those that have to be explained. What failed, and
// was not under way at a death, may be done at any later time.
func (h *history) settle() {
	ops := h.ops
	h.ops = nil
	for _, op := range ops {
		if op.unknown {
			op.latest = math.MaxInt64
		}
		for _, d := range h.deaths {
			if d.host != op.host || d.before > op.ret || d.settled < op.call {
				continue
			}
			if op.unknown {
				op.latest = d.settled
			}
		}
		if !op.unknown || op.kind != "get" {
			h.ops = append(h.ops, op)
		}
	}
}

// checkable is how long the histories of tests may take to check.
const checkable = 20 * time.Second

// explained reports whether there is an order of the operations, of each of
// the parts, that step allows; each takes its place between its call and its
// return. It returns a part for which there is none. To step, an operation takes a
// state into one of others; there are none if it cannot have answered so.
func (h *history) explained(t *testing.T, part func(*operation) string, step func(state int64, op *operation) []any) (wrong string, ok bool) {
	t.Helper()
	parts := map[string][]porcupine.Operation{}
	for _, op := range h.ops {
		of := part(op)
		parts[of] = append(parts[of], porcupine.Operation{ClientId: op.client, Input: op, Call: op.call, Return: op.latest})
	}
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{int64(0)} },
		Step: func(state, op, _ any) []any { return step(state.(int64), op.(*operation)) },
	}
	for of, ops := range parts {
		switch porcupine.CheckOperationsTimeout(model.ToModel(), ops, checkable) {
		case porcupine.Illegal:
			return of, false
		case porcupine.Unknown:
			t.Fatalf("the history of %s, %d operations, takes too long to check", of, len(ops))
		}
	}
	return "", true
}

// linearizable is a key of a store without copies: each call sees all that
// returned before it began, whichever host it came from, and no entry is ever
// lost. The state is the value.
func linearizable(now int64, op *operation) []any {
	answer, then := true, now
	switch op.kind {
	case "get":
		answer = op.value == now
	case "set":
		then = op.arg
	case "delete":
		then = 0
	case "add":
		if answer = op.ok == (now == 0); now == 0 {
			then = op.arg
		}
	case "swap":
		matches := now != 0 && now == op.old
		if answer = op.ok == matches; matches {
			then = op.arg
		}
	case "increment":
		then = now + op.arg
		answer = op.value == then
	case "touch":
		answer = op.ok == (now != 0)
	}
	switch {
	case op.unknown:
		return []any{now, then}
	case answer:
		return []any{then}
	}
	return nil
}

// monotonic is a key as one host sees it through its copies: nobody there sees
// an older change than one that a call before has seen or made. The state is the
// latest such change. Of what found nothing, or was not answered, it is not
// known which change it was.
func monotonic(least int64, op *operation) []any {
	switch {
	case op.unknown || len(op.changes) == 0:
		return []any{least}
	case op.kind != "get":
		return []any{max(least, slices.Max(op.changes))}
	}
	for _, change := range op.changes {
		if change >= least {
			return []any{change}
		}
	}
	return nil
}
