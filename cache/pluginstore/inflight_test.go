package pluginstore

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func begins(f *inFlight, key string) bool {
	ok, _ := f.begin(key, nil)
	return ok
}

func TestInFlightOverlaps(t *testing.T) {
	f := newInFlight(nil, false)
	is := func(what, key string, want bool) {
		t.Helper()
		if got := f.overlapped(key); got != want {
			t.Errorf("%s: %s is overlapped: %v, want %v", what, key, got, want)
		}
	}
	begin := func(key string) {
		t.Helper()
		if !begins(f, key) {
			t.Fatal("nothing more may begin")
		}
	}
	begin("a")
	begin("b")
	is("one of each", "a", false)
	begin("a")
	is("two", "a", true)
	is("two of another", "b", false)
	f.end("a")
	is("one of the two has ended", "a", true)
	f.end("a")
	begin("a")
	is("a new one", "a", false)

	if !f.beginAll() {
		t.Fatal("nothing more may begin")
	}
	is("a write to all keys came after", "a", true)
	begin("c")
	is("a write to all keys came before", "c", true)
	f.endAll()
	is("it has ended", "c", true)
	begin("d")
	is("it had ended before", "d", false)
}

func TestInFlightCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newInFlight(nil, false)
		if !begins(f, "a") || !f.beginAll() || !f.enter() {
			t.Fatal("nothing may begin")
		}
		f.close()
		if begins(f, "a") || begins(f, "b") || f.beginAll() || f.enter() {
			t.Error("something began after the end")
		}
		settled, drained := f.settled(), f.drained()
		is := func(what string, done <-chan struct{}, want bool) {
			t.Helper()
			synctest.Wait()
			select {
			case <-done:
				if !want {
					t.Errorf("%s while a call is in flight", what)
				}
			default:
				if want {
					t.Errorf("not %s, and no such call is in flight", what)
				}
			}
		}
		f.endAll()
		is("settled", settled, false)
		f.end("a")
		is("settled", settled, true)
		is("drained", drained, false)
		f.leave()
		is("drained", drained, true)
	})
}

// One that would write to all keys while the stripes are being closed counts
// for none of them.
func TestInFlightAllOrNothing(t *testing.T) {
	f := newInFlight(nil, false)
	last := &f.stripes[len(f.stripes)-1]
	last.closed = true
	if f.beginAll() {
		t.Fatal("it began though a stripe is closed")
	}
	for i := range f.stripes {
		if n := f.stripes[i].clears; n != 0 {
			t.Errorf("stripe %d counts %d", i, n)
		}
	}
	f.close()
	<-f.settled()
}

// Whatever began before close ends before settled, and nothing begins after.
func TestInFlightUnderLoad(t *testing.T) {
	for range 10 {
		f := newInFlight(nil, false)
		var under, late atomic.Int64
		var closed, settled atomic.Bool
		var callers sync.WaitGroup
		warm := make(chan struct{}, 8)
		for i := range 8 {
			callers.Go(func() {
				key := fmt.Sprint(i % 3)
				for n := 0; ; n++ {
					before := closed.Load()
					began, end := begins(f, key), func() { f.end(key) }
					if n%5 == 4 {
						if began {
							end()
						}
						began, end = f.beginAll(), f.endAll
					}
					if !began {
						return
					}
					if before || settled.Load() {
						late.Add(1)
					}
					under.Add(1)
					under.Add(-1)
					end()
					if n == 5 {
						warm <- struct{}{}
					}
				}
			})
		}
		for range 8 {
			<-warm
		}
		f.close()
		closed.Store(true)
		<-f.settled()
		settled.Store(true)
		if n := under.Load(); n != 0 {
			t.Fatalf("settled while %d were in flight", n)
		}
		callers.Wait()
		if n := late.Load(); n != 0 {
			t.Fatalf("%d began after the end", n)
		}
		for i := range f.stripes {
			if s := &f.stripes[i]; len(s.keys) != 0 || s.clears != 0 {
				t.Fatalf("stripe %d still counts %v, %d", i, s.keys, s.clears)
			}
		}
	}
}
