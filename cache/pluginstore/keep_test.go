package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

func durableStore(p *fakePlug) { p.known.Durable = true }

// A write to a durable store that does not fit the journal is not acknowledged, and
// what was acknowledged, before and during the outage, is kept.
func TestDurableStoreKeepsWhatTheJournalHasNoRoomFor(t *testing.T) {
	for _, overlong := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakes{t: t, data: newData(t), make: durableStore}
			limits := JournalLimits{Entries: 5, Bytes: 1 << 20}
			if overlong {
				limits = JournalLimits{Entries: 1000, Bytes: 60}
			}
			s := openFake(t, Options{Journal: limits, Restart: Restart{MinDelay: time.Hour, MaxDelay: time.Hour}}, f.launch)
			kept := make(map[string]string)
			for i := range 100 {
				key := fmt.Sprint("old", i)
				put(t, s, key, "before")
				kept[key] = "before"
			}
			f.last().die()
			synctest.Wait()
			refused := 0
			for i := range 200 {
				key, before := fmt.Sprint("new", i), time.Now()
				switch err := s.Set(t.Context(), key, entry("meanwhile")); {
				case err == nil:
					kept[key] = "meanwhile"
				case errors.Is(err, cache.ErrUnavailable) && strings.Contains(err.Error(), "journal"):
					refused++
					if took := time.Since(before); took != shared.CallTimeout {
						t.Errorf("a write was refused after %v", took)
					}
				default:
					t.Errorf("Set: %v", err)
				}
			}
			if refused == 0 || refused == 200 {
				t.Errorf("%d of 200 writes were refused", refused)
			}
			// What is in the journal can be written over.
			put(t, s, "new0", "again")
			kept["new0"] = "again"
			if size := s.Status().Journal; size.Dropped != 0 || size.Clear {
				t.Errorf("the journal is %+v", size)
			}
			waiting := async(func() error { return s.Set(t.Context(), "waits", entry("v")) })
			synctest.Wait()
			s.Reset()
			if err := errorOf(t, waiting); err != nil {
				t.Errorf("a write that waited for the plugin: %v", err)
			}
			kept["waits"] = "v"
			serves(t, s, 2)
			for key, text := range kept {
				finds(t, s, key, text)
			}
		})
	}
}

// The writes of a key of a durable store go one by one: at a death at most one of
// them is in doubt, and it is done again.
func TestDurableStoreWritesAKeyOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t), make: durableStore}
		s := openFake(t, Options{}, f.launch)
		held := f.last().wire.hold("Set", "k", true)
		first := async(func() error { return s.Set(t.Context(), "k", entry("first")) })
		<-held.arrived
		second := async(func() error {
			return s.SetMany(t.Context(), []cache.Item{{Key: "k", Entry: entry("second")}, {Key: "k", Entry: entry("last")}})
		})
		brief, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := s.Delete(brief, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a write behind two others: %v", err)
		}
		if n := len(held.arrived); n != 0 {
			t.Errorf("%d more writes are in the plugin", n)
		}
		f.last().die()
		for _, call := range []<-chan error{first, second} {
			if err := errorOf(t, call); err != nil {
				t.Errorf("a write at the death: %v", err)
			}
		}
		time.Sleep(time.Second)
		serves(t, s, 2)
		e, _, err := s.Get(t.Context(), "k")
		if text := string(e.Value); err != nil || text != "last" && text != "first" {
			t.Errorf("k holds %q, %v", text, err)
		}
	})
}
