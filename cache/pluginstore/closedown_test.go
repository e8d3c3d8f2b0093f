//go:build linux

package pluginstore_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

// A store that is closed at the moment of its plugin's death tells another
// process what that one missed, and leaves nothing of either.
func TestCloseWhileThePluginDies(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	for range 10 {
		s, err := pluginstore.Open(t.Context(), "durable:"+dir, l.options())
		if err != nil {
			t.Fatal(err)
		}
		kill(t, s)
		if err := s.Set(t.Context(), "k", value("v")); err != nil {
			t.Errorf("Set: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if left, err := filepath.Glob(l.tmp + "/*"); err != nil || len(left) > 0 {
			t.Fatalf("it leaves %v, %v", left, err)
		}
	}
	holds(t, l.open(t, "durable:"+dir, l.options()), "k", "v")
}

// Whoever learns of a plugin's death learns how it came, also if the call was
// made after others had noticed.
func TestCallersLearnTheCauseOfDeath(t *testing.T) {
	l := newLab(t)
	o := patient(l.options())
	o.Fallback = pluginstore.FallbackNone
	for range 10 {
		s := l.open(t, "durable:"+t.TempDir(), o)
		kill(t, s)
		until(t, "a call fails", func() bool {
			err := s.Set(t.Context(), "k", value("v"))
			if err != nil && (!errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "killed")) {
				t.Errorf("Set: %v", err)
			}
			return err != nil
		})
		for range 100 {
			if _, _, err := s.Get(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Errorf("Get: %v", err)
			}
		}
	}
}
