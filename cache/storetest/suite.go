package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// suite is one run of the table over one store.
type suite struct {
	store   cache.Store
	can     cache.Capability
	prefix  string // of every key of the run
	timeout time.Duration
	more    []Case // beside the table

	failed bool
	hung   int      // cases in a row
	keys   []string // all that were written
}

// After so many cases in a row that hung, the rest is not run: a store that
// answers nothing shall not cost a timeout for every case.
const maxHung = 3

var errHung = errors.New("the store hangs")

func newSuite(store cache.Store, timeout time.Duration, more ...Case) *suite {
	return &suite{
		store:   store,
		can:     cache.CapabilitiesOf(store),
		prefix:  "storetest-" + rand.Text() + "/",
		timeout: timeout,
		more:    more,
	}
}

// cases are the rows that apply to the store.
func (s *suite) cases() []Case {
	return slices.DeleteFunc(append(Cases(), s.more...), func(c Case) bool { return !c.appliesTo(s.can) })
}

// check runs one case and removes what it wrote.
func (s *suite) check(ctx context.Context, c Case) Result {
	r := Result{Name: c.Name, Clause: c.Clause}
	start := time.Now()
	switch {
	case ctx.Err() != nil:
		r.Err = fmt.Errorf("not run: %w", context.Cause(ctx))
	case s.hung >= maxHung:
		r.Err = fmt.Errorf("not run: %w, as the %d cases before showed", errHung, maxHung)
	default:
		p := s.newProbe(c.Name)
		r.Err = s.attempt(ctx, p, c.run)
		swept := s.sweep(ctx, p.store.log.writtenKeys())
		if errors.Is(r.Err, errHung) || errors.Is(swept, errHung) {
			s.hung++
		} else {
			s.hung = 0
		}
		if r.Err == nil && swept != nil {
			r.Err = fmt.Errorf("cleanup after the case: %w", swept)
		}
	}
	s.failed = s.failed || r.Err != nil
	r.Elapsed = time.Since(start)
	return r
}

func (s *suite) newProbe(name string) *probe {
	return &probe{
		can:    s.can,
		prefix: s.prefix + name + "/",
		store:  &recorder{store: s.store, log: newCallLog()},
	}
}

// attempt calls run with p and returns p's failure. A run that goes on long
// after its context has ended is not waited for: its next call to the store
// ends it, if there ever is one.
func (s *suite) attempt(ctx context.Context, p *probe, run func(*probe)) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	p.ctx = ctx
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.protect(func() { run(p) })
	}()
	select {
	case <-done:
	case <-ctx.Done():
		grace := time.NewTimer(s.timeout / 4)
		defer grace.Stop()
		select {
		case <-done:
		case <-grace.C:
			return fmt.Errorf("%w: %s, though the context has ended", errHung, p.store.log.abandon())
		}
	}
	return p.failure()
}

// sweep deletes the keys that a case wrote.
func (s *suite) sweep(ctx context.Context, keys []string) error {
	s.keys = append(s.keys, keys...)
	return s.remove(ctx, keys, func(p *probe, key string) error {
		return attempted(func() error { return p.store.Delete(p.ctx, key) })
	})
}

// close removes all keys once more, in two ways, if a case failed: the failure
// may be that Delete removes nothing, or that a call was still under way when
// its case was swept.
func (s *suite) close(ctx context.Context) error {
	if !s.failed {
		return nil
	}
	return s.remove(ctx, s.keys, func(p *probe, key string) error {
		expired := attempted(func() error { return p.store.Set(p.ctx, key, cache.Entry{Expires: time.Unix(1, 0)}) })
		deleted := attempted(func() error { return p.store.Delete(p.ctx, key) })
		if expired == nil {
			return nil
		}
		return deleted
	})
}

// remove tries all of the keys, whatever becomes of some.
func (s *suite) remove(ctx context.Context, keys []string, remove func(*probe, string) error) error {
	return s.attempt(context.WithoutCancel(ctx), s.newProbe(cleanup.Name), func(p *probe) {
		failed := make([]error, len(keys))
		p.each(len(keys), func(i int) { failed[i] = remove(p, keys[i]) })
		for i, err := range failed {
			// A key that a case knew to be invalid is there only by mistake.
			if err != nil && cache.CheckKey(keys[i]) == nil {
				p.fatalf("%s: %w", p.name(keys[i]), err)
			}
		}
	})
}
