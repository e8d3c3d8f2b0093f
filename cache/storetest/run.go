package storetest

import (
	"testing"

	"github.com/harpia-go/harpia/cache"
)

// Run runs the cases as subtests on one store, which open opens and whose
// closing open leaves to t.Cleanup. more are cases beside the table, such as
// LargeCases.
func Run(t *testing.T, open func(t *testing.T) cache.Store, more ...Case) {
	t.Helper()
	run(t, open(t), more)
}

// RunWant is Run for a store whose capabilities must be exactly want: one that
// vanishes fails, where Run would just not ask for it.
func RunWant(t *testing.T, want cache.Capability, open func(t *testing.T) cache.Store, more ...Case) {
	t.Helper()
	store := open(t)
	t.Run("capabilities/wanted", func(t *testing.T) {
		can := cache.CapabilitiesOf(store)
		if missing := want &^ can; missing != 0 {
			t.Errorf("the store does not have: %v", missing)
		}
		if extra := can &^ want; extra != 0 {
			t.Errorf("the store has what is not wanted of it: %v", extra)
		}
	})
	run(t, store, more)
}

func run(t *testing.T, store cache.Store, more []Case) {
	t.Helper()
	s := newSuite(store, timeout, more...)
	for _, c := range s.cases() {
		t.Run(c.Name, func(t *testing.T) {
			if r := s.check(t.Context(), c); r.Err != nil {
				t.Errorf("%v\nThe contract: %s", r.Err, r.Clause)
			}
		})
	}
	if err := s.close(t.Context()); err != nil {
		t.Errorf("%s: %v\nThe contract: %s", cleanup.Name, err, cleanup.Clause)
	}
}
