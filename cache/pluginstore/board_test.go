package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// While a change is told, the next ones wait and keep their order, and nothing
// else does.
func TestChangesAreToldInOrderOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		var at atomic.Int32
		f := &fakes{t: t}
		s := openFake(t, Options{OnChange: func(st Status) {
			if at.Add(1) != 1 {
				t.Error("two changes are told at once")
			}
			time.Sleep(time.Minute)
			at.Add(-1)
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintf("%v %d", st.State, st.Generation))
		}}, f.launch)
		for i := range 3 {
			f.last().die()
			time.Sleep(2 * time.Second)
			serves(t, s, i+2)
			put(t, s, "k", "v")
		}
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		want := "starting 1, ready 1, degraded 1, degraded 2, ready 2, degraded 2, degraded 3, ready 3, degraded 3, degraded 4, ready 4"
		if got := strings.Join(told, ", "); got != want {
			t.Errorf("told:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestWhoIsToldMayUseTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s atomic.Pointer[Store]
		var seen []State
		var mu sync.Mutex
		f := &fakes{t: t}
		opened := openFake(t, Options{Restart: Restart{MinDelay: time.Hour}, OnChange: func(st Status) {
			mu.Lock()
			seen = append(seen, st.State)
			mu.Unlock()
			s := s.Load()
			if s == nil {
				return
			}
			put(t, s, "k", "v")
			finds(t, s, "k", "v")
			_ = s.Status()
			_ = s.Ready(context.Background())
			if st.State == Degraded && st.Generation == 1 {
				s.Reset()
			}
			if st.State == Ready && st.Generation == 2 {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
		}}, f.launch)
		synctest.Wait()
		s.Store(opened)
		f.last().die()
		synctest.Wait()
		// Resetting started it without delay, and being ready closed the store.
		if _, _, err := opened.Get(context.Background(), "k"); err == nil {
			t.Error("the store was not closed")
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(seen, []State{Starting, Ready, Degraded, Degraded, Ready}) {
			t.Errorf("told of %v", seen)
		}
	})
}

// Since is when the state came to be, not when something else changed.
func TestStatusSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t}
		failures := 0 // to come
		s := openFake(t, Options{Restart: Restart{MinDelay: time.Hour}}, func() (*fakePlug, error) {
			if failures > 0 {
				failures--
				return nil, errors.New("not yet")
			}
			return f.launch()
		})
		failures = 2
		start := time.Now()
		time.Sleep(time.Minute)
		if st := s.Status(); !st.Since.Equal(start) || st.Err != nil || st.Generation != 1 || st.Restarts != 0 {
			t.Errorf("the status is %+v; it was ready at %v", st, start)
		}
		f.last().die()
		synctest.Wait()
		died := time.Now()
		time.Sleep(time.Minute)
		put(t, s, "k", "12345")
		st := s.Status()
		if !st.Since.Equal(died) || st.Err == nil || !st.Fallback || st.PID != 0 || st.Journal != (JournalSize{Entries: 1, Bytes: 6}) {
			t.Errorf("the status is %+v; it died at %v", st, died)
		}
		for s.Status().State != Ready {
			if since := s.Status().Since; !since.Equal(died) {
				t.Fatalf("it is degraded since %v; it died at %v", since, died)
			}
			time.Sleep(time.Minute)
		}
		st = s.Status()
		if st.State != Ready || st.Err == nil || st.Generation != 4 || st.Restarts != 3 || st.Fallback || st.Journal != (JournalSize{}) {
			t.Errorf("the status is %+v", st)
		}
	})
}

// A hundred calls that fail at once cause one restart.
func TestCallsThatFailAtOnceCauseOneRestart(t *testing.T) {
	for name, lose := range map[string]func(*fakePlug){
		"the process dies": (*fakePlug).die,
		// but lives, and must be ended.
		"the connection breaks": func(p *fakePlug) {
			p.answer(silent)
			p.wire.failing(func(string, string) error { return fmt.Errorf("%w: %w", cache.ErrUnavailable, shared.ErrBroken) })
			close(p.wire.holds("Set", anyKey).let)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakes{t: t}
				s := openFake(t, Options{}, f.launch)
				first := f.last()
				h := first.wire.hold("Set", anyKey, false)
				var calls []<-chan error
				for i := range 100 {
					calls = append(calls, async(func() error { return s.Set(t.Context(), fmt.Sprint(i), entry("v")) }))
				}
				for range 100 {
					<-h.arrived
				}
				lose(first)
				time.Sleep(2 * time.Second)
				for _, c := range calls {
					if err := errorOf(t, c); err != nil {
						t.Errorf("Set: %v", err)
					}
				}
				serves(t, s, 2)
				for i := range 100 {
					finds(t, s, fmt.Sprint(i), "v")
				}
				if st := s.Status(); f.count() != 2 || st.Restarts != 1 || !first.ended.Load() {
					t.Errorf("%d processes were started, the first ended: %v; %+v", f.count(), first.ended.Load(), st)
				}
			})
		})
	}
}
