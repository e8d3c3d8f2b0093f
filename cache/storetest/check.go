package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// Case is one row of the table.
type Case struct {
	// Name is theme/what, unique in the table.
	Name string
	// Clause is what the contract says, and what a failure breaks.
	Clause string
	// Needs are the capabilities that a store must declare for the case to be
	// its own.
	Needs cache.Capability
	// Lacks are those that it must not declare.
	Lacks cache.Capability

	run func(*probe)
}

func (c Case) appliesTo(can cache.Capability) bool {
	return can.Has(c.Needs) && can&c.Lacks == 0
}

// Cases returns the whole table, in the order in which it is run.
func Cases() []Case {
	return slices.Concat(
		basicCases(), keyCases(), valueCases(), limitCases(), expiryCases(),
		addCases(), swapCases(), countCases(), touchCases(),
		batchCases(), scanCases(), scanMeanwhileCases(), clearCases(), watchCases(), flushCases(),
		contextCases(), concurrencyCases(), atomicityCases(), capabilityCases(),
	)
}

// Result is the outcome of one case.
type Result struct {
	Name, Clause string
	// Err is nil if the case passed.
	Err     error
	Elapsed time.Duration
}

// timeout bounds each case. It is generous, since nothing here measures speed.
const timeout = 20 * time.Second

// Check runs the cases that apply to store, one after the other, and calls
// report with the result of each. It returns how many passed and failed. more are
// cases beside the table, such as LargeCases.
//
// A case that hangs fails and is left behind, and Check goes on. Once ctx has
// ended, the next case is reported as failed, not run, and Check returns.
func Check(ctx context.Context, store cache.Store, report func(Result), more ...Case) (passed, failed int) {
	return newSuite(store, timeout, more...).runAll(ctx, report)
}

func (s *suite) runAll(ctx context.Context, report func(Result)) (passed, failed int) {
	count := func(r Result) {
		if r.Err != nil {
			failed++
		} else {
			passed++
		}
		report(r)
	}
	for _, c := range s.cases() {
		ended := ctx.Err() != nil
		count(s.check(ctx, c))
		if ended {
			break
		}
	}
	if err := s.close(ctx); err != nil {
		count(Result{Name: cleanup.Name, Clause: cleanup.Clause, Err: err})
	}
	return passed, failed
}

// cleanup is no row of the table: it is reported only when it fails.
var cleanup = Case{
	Name:   "cleanup",
	Clause: "Delete removes key. (Keys of this run may be left in the store.)",
}
