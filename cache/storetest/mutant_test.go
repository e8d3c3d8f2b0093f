package storetest

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// broken is a reference in which some methods are replaced.
type broken struct {
	*reference
	declare func() cache.Capability

	get       func(ctx context.Context, key string) (cache.Entry, bool, error)
	set       func(ctx context.Context, key string, e cache.Entry) error
	del       func(ctx context.Context, key string) error
	getMany   func(ctx context.Context, keys []string) ([]cache.Lookup, error)
	setMany   func(ctx context.Context, items []cache.Item) error
	delMany   func(ctx context.Context, keys []string) error
	add       func(ctx context.Context, key string, e cache.Entry) (bool, error)
	swap      func(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error)
	swapDel   func(ctx context.Context, key string, old []byte) (bool, error)
	increment func(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error)
	touch     func(ctx context.Context, key string, expires time.Time) (bool, error)
	scan      func(ctx context.Context, prefix string) iter.Seq2[string, error]
	clear     func(ctx context.Context, prefix string) error
	watch     func(ctx context.Context) iter.Seq2[cache.Change, error]
	flush     func(ctx context.Context) error
	limits    func() cache.Limits
}

// newBroken returns one that is right until methods are replaced.
func newBroken() *broken {
	r := newReference()
	return &broken{
		reference: r,
		get:       r.Get, set: r.Set, del: r.Delete,
		getMany: r.GetMany, setMany: r.SetMany, delMany: r.DeleteMany,
		add: r.SetIfAbsent, swap: r.CompareAndSwap, swapDel: r.CompareAndDelete,
		increment: r.Increment, touch: r.Touch,
		declare: func() cache.Capability { return everything },
		scan:    r.Scan, clear: r.Clear, watch: r.Watch, flush: r.Flush, limits: r.Limits,
	}
}

func (b *broken) Capabilities() cache.Capability {
	return b.declare()
}

func (b *broken) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	return b.get(ctx, key)
}

func (b *broken) Set(ctx context.Context, key string, e cache.Entry) error {
	return b.set(ctx, key, e)
}

func (b *broken) Delete(ctx context.Context, key string) error { return b.del(ctx, key) }

func (b *broken) GetMany(ctx context.Context, keys []string) ([]cache.Lookup, error) {
	return b.getMany(ctx, keys)
}

func (b *broken) SetMany(ctx context.Context, items []cache.Item) error {
	return b.setMany(ctx, items)
}

func (b *broken) DeleteMany(ctx context.Context, keys []string) error { return b.delMany(ctx, keys) }

func (b *broken) SetIfAbsent(ctx context.Context, key string, e cache.Entry) (bool, error) {
	return b.add(ctx, key, e)
}

func (b *broken) CompareAndSwap(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
	return b.swap(ctx, key, old, e)
}

func (b *broken) CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error) {
	return b.swapDel(ctx, key, old)
}

func (b *broken) Increment(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
	return b.increment(ctx, key, delta, expiresIfNew)
}

func (b *broken) Touch(ctx context.Context, key string, expires time.Time) (bool, error) {
	return b.touch(ctx, key, expires)
}

func (b *broken) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return b.scan(ctx, prefix)
}

func (b *broken) Clear(ctx context.Context, prefix string) error { return b.clear(ctx, prefix) }

func (b *broken) Watch(ctx context.Context) iter.Seq2[cache.Change, error] { return b.watch(ctx) }

func (b *broken) Flush(ctx context.Context) error { return b.flush(ctx) }

func (b *broken) Limits() cache.Limits { return b.limits() }

// mutant is a store with one fault, and the cases that must show it.
type mutant struct {
	fault string
	cases []string
	make  func(*broken)
}

func mutants() []mutant {
	return slices.Concat(
		storeMutants(), keyMutants(), valueMutants(), expiryMutants(),
		atomicMutants(), countMutants(), batchMutants(), scanMutants(), watchMutants(),
		everywhereMutants(), concurrencyMutants(), raceMutants(pause), capabilityMutants(),
	)
}

// TestMutants tests the suite: what is wrong with a store fails the cases that
// are about it.
func TestMutants(t *testing.T) {
	for _, m := range mutants() {
		t.Run(m.fault, func(t *testing.T) {
			for _, name := range m.cases {
				store := newBroken()
				m.make(store)
				s := newSuite(store, timeout, LargeCases()...)
				i := slices.IndexFunc(s.cases(), func(c Case) bool { return c.Name == name })
				if i < 0 {
					t.Fatalf("there is no case %s for such a store", name)
				}
				r := s.check(t.Context(), s.cases()[i])
				if r.Err == nil {
					t.Errorf("%s passes", name)
					continue
				}
				t.Logf("%s: %v", name, r.Err)
				if n := len(r.Err.Error()); n > 500 {
					t.Errorf("the message of %s is %d bytes long", name, n)
				}
			}
		})
	}
}

// TestEveryCaseCanFail keeps the table of mutants complete: a case that no
// fault fails checks nothing.
func TestEveryCaseCanFail(t *testing.T) {
	shown := make(map[string]bool)
	for _, m := range mutants() {
		for _, name := range m.cases {
			shown[name] = true
		}
	}
	for _, c := range append(Cases(), LargeCases()...) {
		if !shown[c.Name] {
			t.Errorf("no mutant fails %s", c.Name)
		}
	}
}

func TestCasesAreNamedAndExplained(t *testing.T) {
	names := make(map[string]bool)
	for _, c := range append(Cases(), LargeCases()...) {
		if names[c.Name] {
			t.Errorf("two cases are called %s", c.Name)
		}
		names[c.Name] = true
		if c.Clause == "" {
			t.Errorf("%s names no clause", c.Name)
		}
		if c.run == nil {
			t.Errorf("%s does nothing", c.Name)
		}
	}
}
