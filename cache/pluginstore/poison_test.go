//go:build linux

package pluginstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/memstore"
	"github.com/harpia-go/harpia/shared"
)

// poison is a store whose process ends at any call on the key "bad".
type poison struct {
	threeMethods
	common bool
}

func poisonPlugin(common bool) { shared.Serve(&poison{threeMethods{&memstore.Store{}}, common}) }

func (p *poison) Describe() shared.Description {
	return shared.Description{Name: "poison", Exclusive: !p.common}
}

func (p *poison) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	p.check(key)
	return p.threeMethods.Get(ctx, key)
}

func (p *poison) Set(ctx context.Context, key string, e cache.Entry) error {
	p.check(key)
	return p.threeMethods.Set(ctx, key, e)
}

func (p *poison) Delete(ctx context.Context, key string) error {
	p.check(key)
	return p.threeMethods.Delete(ctx, key)
}

func (p *poison) check(key string) {
	if key == "bad" {
		log.Fatal("it cannot take this key")
	}
}

// Requests for one key that ends each process cost three of them at most, and all
// others are served.
func TestPoisonKey(t *testing.T) {
	l := newLab(t)
	calls := map[string]func(context.Context, *pluginstore.Store) error{
		"Get":    func(ctx context.Context, s *pluginstore.Store) error { _, _, err := s.Get(ctx, "bad"); return err },
		"Set":    func(ctx context.Context, s *pluginstore.Store) error { return s.Set(ctx, "bad", value("v")) },
		"Delete": func(ctx context.Context, s *pluginstore.Store) error { return s.Delete(ctx, "bad") },
	}
	for _, name := range []string{"poison", "poison-common"} {
		for _, noLane := range []bool{false, true} {
			for call, do := range calls {
				t.Run(fmt.Sprintf("%s of %s, NoLane=%v", call, name, noLane), func(t *testing.T) {
					t.Parallel()
					o := quick(l.options())
					o.NoLane = noLane
					s, err := pluginstore.Open(t.Context(), name, o)
					if err != nil {
						t.Fatal(err)
					}
					for range 6 {
						_ = do(t.Context(), s)
						awaitReady(t, s)
					}
					st := s.Status()
					if st.Restarts > 3 || len(st.Quarantine) != 1 {
						t.Errorf("the status is %+v", st)
					}
					if err := s.Set(t.Context(), "good", value("v")); err != nil {
						t.Error(err)
					}
					holds(t, s, "good", "v")
					if after := s.Status(); after.Restarts != st.Restarts {
						t.Errorf("the status is %+v", after)
					}
					// What an exclusive store was not told is lost with the host.
					if err := s.Close(); (err != nil) != (name == "poison" && call != "Get") || err != nil && !errors.Is(err, pluginstore.ErrQuarantined) {
						t.Errorf("Close: %v", err)
					}
				})
			}
		}
	}
}

// awaitReady waits until the plugin serves.
func awaitReady(t *testing.T, s *pluginstore.Store) {
	t.Helper()
	time.Sleep(100 * time.Millisecond) // its death may be noticed a moment later
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		switch st := s.Status(); {
		case st.State == pluginstore.Ready:
			return
		case st.State == pluginstore.Failed || time.Now().After(until):
			t.Fatalf("the status is %+v", st)
		}
	}
}
