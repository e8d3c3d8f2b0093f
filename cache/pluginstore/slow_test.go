//go:build linux

package pluginstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/memstore"
	"github.com/harpia-go/harpia/shared"
)

// slow is a store in which some keys are slow, whatever their callers do
// meanwhile: the Set of one that begins with "slow", and the Get of one that begins
// with "hang".
type slow struct{ threeMethods }

func (s *slow) Describe() shared.Description {
	return shared.Description{Name: "slow", Exclusive: true}
}

func (s *slow) Set(ctx context.Context, key string, e cache.Entry) error {
	if strings.HasPrefix(key, "slow") {
		time.Sleep(3 * time.Second)
	}
	return s.threeMethods.Set(context.WithoutCancel(ctx), key, e)
}

func (s *slow) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	if strings.HasPrefix(key, "hang") {
		time.Sleep(6 * time.Second)
	}
	return s.threeMethods.Get(ctx, key)
}

func slowPlugin() { shared.Serve(&slow{threeMethods{&memstore.Store{}}}) }

// One slow key costs that key's calls: no process is ended for it, nothing is lost,
// and no other key is slow.
func TestOneSlowKey(t *testing.T) {
	l := newLab(t)
	for _, noLane := range []bool{false, true} {
		t.Run(fmt.Sprintf("NoLane=%v", noLane), func(t *testing.T) {
			t.Parallel()
			o := quick(l.options())
			o.NoLane = noLane
			s := l.open(t, "slow", o)
			pid := s.PID()
			put := func(key, text string) error { return s.Set(t.Context(), key, value(text)) }
			if err := put("normal", "v"); err != nil {
				t.Fatal(err)
			}
			failed := make(chan error, 1)
			go func() { failed <- put("slow", "first") }()
			for waiting := true; waiting; {
				select {
				case err := <-failed:
					if !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "unknown") {
						t.Errorf("the slow write: %v", err)
					}
					waiting = false
				default:
					holds(t, s, "normal", "v")
				}
			}
			// Behind the fence, until the plugin has answered.
			holds(t, s, "slow", "first")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := s.Set(ctx, "slow", value("second")); !errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("the second slow write: %v", err)
			}
			holds(t, s, "slow", "second")
			holds(t, s, "normal", "v")
			if st := s.Status(); st.PID != pid || st.Restarts != 0 {
				t.Errorf("the status is %+v", st)
			}
		})
	}
}

// Calls that hang, however many, keep no other call from the store.
func TestHungCallsDoNotWedgeTheStore(t *testing.T) {
	l := newLab(t)
	s := l.open(t, "slow", quick(l.options()))
	if err := s.Set(t.Context(), "normal", value("v")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var callers sync.WaitGroup
	for range 600 {
		callers.Go(func() {
			if _, _, err := s.Get(ctx, "hang"); err == nil {
				t.Error("a call that hangs was answered")
			}
		})
	}
	callers.Wait()
	holds(t, s, "normal", "v")
	if err := s.Set(t.Context(), "normal", value("w")); err != nil {
		t.Error(err)
	}
	holds(t, s, "normal", "w")
	if st := s.Status(); st.State != pluginstore.Ready || st.Restarts != 0 {
		t.Errorf("the status is %+v", st)
	}
}
