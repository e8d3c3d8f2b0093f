package pluginstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// What becomes of calls that the plugin was sent and has not answered.

// A write in flight when the process dies has succeeded, whether the process
// did it or not, and the next process is told of it.
func TestWriteInFlightAtDeathIsDone(t *testing.T) {
	for _, done := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakes{t: t, data: newData(t)}
			s := openFake(t, Options{}, f.launch)
			put(t, s, "deleted", "before")
			p := f.last()
			set, del := p.wire.hold("Set", "set", done), p.wire.hold("Delete", "deleted", done)
			setting := async(func() error { return s.Set(t.Context(), "set", entry("v")) })
			deleting := async(func() error { return s.Delete(t.Context(), "deleted") })
			<-set.arrived
			<-del.arrived
			p.die()
			for _, call := range []<-chan error{setting, deleting} {
				if err := errorOf(t, call); err != nil {
					t.Errorf("the write: %v", err)
				}
			}
			finds(t, s, "set", "v")
			finds(t, s, "deleted", "")
			if n := s.Status().Journal.Entries; n != 2 {
				t.Errorf("the journal has %d entries", n)
			}
			time.Sleep(time.Second)
			serves(t, s, 2)
			finds(t, s, "set", "v")
			finds(t, s, "deleted", "")
		})
	}
}

// Of several writes of one key in flight nobody knows the order.
func TestOverlappingWritesAtDeathEmptyTheKey(t *testing.T) {
	set := func(ctx context.Context, s *Store) error { return s.Set(ctx, "k", entry("v")) }
	for _, c := range []struct {
		name   string
		method string // of the other call
		key    string
		call   func(context.Context, *Store) error
		fails  bool
	}{
		{"Set", "Set", "k", func(ctx context.Context, s *Store) error { return s.Set(ctx, "k", entry("w")) }, false},
		{"Delete", "Delete", "k", func(ctx context.Context, s *Store) error { return s.Delete(ctx, "k") }, false},
		{"a batch", "Set", "k", func(ctx context.Context, s *Store) error {
			return s.SetMany(ctx, []cache.Item{{Key: "other", Entry: entry("x")}, {Key: "k", Entry: entry("w")}})
		}, false},
		{"Increment", "Increment", "k", func(ctx context.Context, s *Store) error {
			_, _, err := s.Increment(ctx, "k", 1, time.Time{})
			return err
		}, true},
		{"Clear", "Clear", "", func(ctx context.Context, s *Store) error { return s.Clear(ctx, "") }, true},
	} {
		overlap := func(t *testing.T, setFirst bool) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakes{t: t, data: newData(t)}
				s := openFake(t, Options{}, f.launch)
				put(t, s, "k", "before")
				put(t, s, "apart", "before")
				p := f.last()
				one := p.wire.hold("Set", "k", true)
				two := one
				if c.method != "Set" {
					two = p.wire.hold(c.method, c.key, false)
				}
				var setting, calling <-chan error
				begin := []func(){
					func() { setting = async(func() error { return set(t.Context(), s) }); <-one.arrived },
					func() { calling = async(func() error { return c.call(t.Context(), s) }); <-two.arrived },
				}
				if !setFirst {
					slices.Reverse(begin)
				}
				for _, begin := range begin {
					begin()
				}
				p.die()
				if err := errorOf(t, setting); err != nil {
					t.Errorf("Set: %v", err)
				}
				if err := errorOf(t, calling); (err != nil) != c.fails || (err != nil && !errors.Is(err, cache.ErrUnavailable)) {
					t.Errorf("%s: %v", c.name, err)
				}
				finds(t, s, "k", "")
				time.Sleep(time.Second)
				serves(t, s, 2)
				finds(t, s, "k", "")
				finds(t, s, "apart", "before")
			})
		}
		t.Run(c.name+" after Set", func(t *testing.T) { overlap(t, true) })
		t.Run(c.name+" before Set", func(t *testing.T) { overlap(t, false) })
	}
}

// A batch with one key twice overlaps itself.
func TestBatchInFlightAtDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t}
		s := openFake(t, Options{}, f.launch)
		h := f.last().wire.hold("Set", "b", false)
		call := async(func() error {
			return s.SetMany(t.Context(), []cache.Item{{Key: "a", Entry: entry("1")}, {Key: "b", Entry: entry("1")}, {Key: "twice", Entry: entry("1")}, {Key: "twice", Entry: entry("2")}})
		})
		<-h.arrived
		f.last().die()
		if err := errorOf(t, call); err != nil {
			t.Errorf("SetMany: %v", err)
		}
		for range 2 {
			finds(t, s, "a", "1")
			finds(t, s, "b", "1")
			finds(t, s, "twice", "")
			time.Sleep(time.Second)
		}
		serves(t, s, 2)
	})
}

// A caller that learns late of the death has written before those who wrote
// meanwhile, and the plugin does not serve before he has learnt it.
func TestLateWriterDoesNotUndoANewerWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t)}
		s := openFake(t, Options{}, f.launch)
		p := f.last()
		late := p.wire.add(&held{method: "Set", key: "k", late: true})
		alone := p.wire.add(&held{method: "Set", key: "alone", late: true})
		first := async(func() error { return s.Set(t.Context(), "k", entry("older")) })
		second := async(func() error { return s.Set(t.Context(), "alone", entry("v")) })
		<-late.arrived
		<-alone.arrived
		p.die()
		synctest.Wait()
		put(t, s, "k", "newer")
		time.Sleep(time.Second)
		synctest.Wait()
		if st := s.Status(); st.State == Ready || f.count() != 2 {
			t.Errorf("with a write still in flight the status is %+v after %d starts", st, f.count())
		}
		finds(t, s, "k", "newer")
		close(late.let)
		close(alone.let)
		for _, call := range []<-chan error{first, second} {
			if err := errorOf(t, call); err != nil {
				t.Errorf("Set: %v", err)
			}
		}
		serves(t, s, 2)
		finds(t, s, "k", "newer")
		finds(t, s, "alone", "v")
	})
}

// Whether an atomic operation in flight was done cannot be known.
func TestAtomicOperationInFlightAtDeath(t *testing.T) {
	for method, call := range map[string]func(context.Context, *Store) (bool, error){
		"Increment": func(ctx context.Context, s *Store) (bool, error) {
			n, _, err := s.Increment(ctx, "k", 1, time.Time{})
			return n != 0, err
		},
		"CompareAndSwap": func(ctx context.Context, s *Store) (bool, error) {
			return s.CompareAndSwap(ctx, "k", []byte("1"), entry("2"))
		},
		"CompareAndDelete": func(ctx context.Context, s *Store) (bool, error) { return s.CompareAndDelete(ctx, "k", []byte("1")) },
		"Clear":            func(ctx context.Context, s *Store) (bool, error) { return false, s.Clear(ctx, "k") },
	} {
		for _, exclusive := range []bool{true, false} {
			t.Run(method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := &fakes{t: t, data: newData(t), make: func(p *fakePlug) { p.known.Exclusive = exclusive }}
					s := openFake(t, Options{}, f.launch)
					put(t, s, "k", "1")
					h := f.last().wire.hold(method, "k", true)
					var did bool
					calling := async(func() (err error) { did, err = call(t.Context(), s); return err })
					<-h.arrived
					f.last().die()
					time.Sleep(time.Second)
					err := errorOf(t, calling)
					if !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "unknown") || did {
						t.Errorf("it did: %v, %v; want an outcome that is unknown", did, err)
					}
					if n := s.Status().Journal.Entries; n != 0 {
						t.Errorf("the journal has %d entries", n)
					}
					if st := s.Status(); st.State != Ready {
						t.Errorf("the status is %+v", st)
					}
				})
			})
		}
	}
}

// The end of a caller's own context is his: the write may be done, and nobody
// is killed for it.
func TestCallersContextEndsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t}
		s := openFake(t, Options{}, f.launch)
		p := f.last()
		h := p.wire.hold("Set", "k", false)
		ctx, cancel := context.WithCancel(t.Context())
		call := async(func() error { return s.Set(ctx, "k", entry("v")) })
		<-h.arrived
		cancel()
		if err := errorOf(t, call); !errors.Is(err, context.Canceled) {
			t.Errorf("Set, cancelled: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Set(ctx, "k", entry("v")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Set, past its deadline: %v", err)
		}
		put(t, s, "other", "v")
		serves(t, s, 1)
		// And at a death nothing is made up of them.
		p.die()
		synctest.Wait()
		if n := s.Status().Journal.Entries; n != 0 {
			t.Errorf("the journal has %d entries", n)
		}
	})
}
