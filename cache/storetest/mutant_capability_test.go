package storetest

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// unsupporting replaces the methods of the capabilities in what by those of a
// store that has none.
func unsupporting(b *broken, what cache.Capability, err error) {
	if what.Has(cache.CanBatch) {
		b.getMany = func(context.Context, []string) ([]cache.Lookup, error) { return nil, err }
		b.setMany = func(context.Context, []cache.Item) error { return err }
		b.delMany = func(context.Context, []string) error { return err }
	}
	if what.Has(cache.CanAdd) {
		b.add = func(context.Context, string, cache.Entry) (bool, error) { return false, err }
	}
	if what.Has(cache.CanSwap) {
		b.swap = func(context.Context, string, []byte, cache.Entry) (bool, error) { return false, err }
		b.swapDel = func(context.Context, string, []byte) (bool, error) { return false, err }
	}
	if what.Has(cache.CanCount) {
		b.increment = func(context.Context, string, int64, time.Time) (int64, time.Time, error) {
			return 0, time.Time{}, err
		}
	}
	if what.Has(cache.CanTouch) {
		b.touch = func(context.Context, string, time.Time) (bool, error) { return false, err }
	}
	if what.Has(cache.CanScan) {
		b.scan = func(context.Context, string) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) { yield("", err) }
		}
	}
	if what.Has(cache.CanClear) {
		b.clear = func(context.Context, string) error { return err }
	}
	if what.Has(cache.CanWatch) {
		b.watch = func(context.Context) iter.Seq2[cache.Change, error] {
			return func(yield func(cache.Change, error) bool) { yield(cache.Change{}, err) }
		}
	}
	if what.Has(cache.CanFlush) {
		b.flush = func(context.Context) error { return err }
	}
}

func capabilityMutants() []mutant {
	undeclared := named("capabilities/no-", "batch", "add", "swap", "count", "touch", "scan", "clear", "watch", "flush")
	none := func() cache.Capability { return 0 }
	return []mutant{{
		"what is not declared works", undeclared,
		func(b *broken) { b.declare = none },
	}, {
		"what is not declared has an error of its own", undeclared,
		func(b *broken) {
			b.declare = none
			unsupporting(b, everything, errors.New("what?"))
		},
	}, {
		"what is declared changes", []string{"capabilities/stable"},
		func(b *broken) {
			can := everything
			b.declare = func() cache.Capability {
				defer func() { can = 0 }()
				return can
			}
		},
	}}
}

// A store that declares what it then does not support is not spared: each case
// of the capability fails.
func TestDeclaredButUnsupported(t *testing.T) {
	t.Parallel()
	b := newBroken()
	unsupporting(b, everything, errors.ErrUnsupported)
	s := newSuite(b, timeout)
	for _, c := range s.cases() {
		if r := s.check(t.Context(), c); (r.Err != nil) != (c.Needs != 0) {
			t.Errorf("%s, which needs %q: %v", c.Name, c.Needs, r.Err)
		}
	}
}

// The same holds for one that lacks the methods.
func TestDeclaredButNotImplemented(t *testing.T) {
	t.Parallel()
	s := newSuite(boaster{newSmallest()}, timeout)
	for _, c := range s.cases() {
		if r := s.check(t.Context(), c); (r.Err != nil) != (c.Needs != 0) {
			t.Errorf("%s, which needs %q: %v", c.Name, c.Needs, r.Err)
		}
	}
}

type boaster struct{ smallest }

func (boaster) Capabilities() cache.Capability { return everything }

// remote is a client that guards what is not declared, and the store behind it.
type remote struct {
	*broken
	behind cache.Store
}

func (r remote) Unguarded() cache.Store { return r.behind }

func TestUnguarded(t *testing.T) {
	unsupported := func(err error) *broken {
		b := newBroken()
		unsupporting(b, everything, err)
		b.declare = func() cache.Capability { return 0 }
		return b
	}
	for _, test := range []struct {
		name   string
		behind cache.Store
		pass   bool
	}{
		{"answers unsupported", unsupported(errors.ErrUnsupported), true},
		{"has no such methods", newSmallest(), true},
		{"has an error of its own", unsupported(errors.New("what?")), false},
		{"works", newReference(), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSuite(remote{unsupported(errors.ErrUnsupported), test.behind}, timeout)
			n := 0
			for _, c := range s.cases() {
				if c.Lacks == 0 {
					continue
				}
				n++
				if r := s.check(t.Context(), c); (r.Err == nil) != test.pass {
					t.Errorf("%s: %v", c.Name, r.Err)
				}
			}
			if n != len(everything.Names()) {
				t.Errorf("%d cases of undeclared capabilities, want %d", n, len(everything.Names()))
			}
		})
	}
}
