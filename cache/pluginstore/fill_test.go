//go:build linux

package pluginstore_test

import (
	"context"
	"testing"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

// What is loaded while memory serves is kept, there and by the plugin; but not
// what was loaded after a miss in the plugin, which somebody may have filled
// before it died.
func TestLoadsAreKeptWhileMemoryServes(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	s := l.open(t, "durable:"+t.TempDir(), patient(l.options()))
	ours, err := cache.New[string](cache.Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := cache.New[string](cache.Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	load := func(key, text, want string, meanwhile func()) {
		t.Helper()
		got, err := ours.GetOrLoad(ctx, key, func(context.Context) (string, error) {
			meanwhile()
			return text, nil
		})
		if err != nil || got != want {
			t.Errorf("GetOrLoad of %s: %q, %v", key, got, err)
		}
	}
	unwanted := func() { t.Error("it is loaded again") }

	load("before", "older", "older", func() {
		if err := theirs.Set(ctx, "before", "newer"); err != nil {
			t.Error(err)
		}
		kill(t, s)
		until(t, "memory serves", func() bool { return s.Status().Fallback })
	})
	load("kept", "loaded", "loaded", func() {})
	load("kept", "loaded", "loaded", unwanted)
	load("overtaken", "older", "newer", func() {
		if err := theirs.Set(ctx, "overtaken", "newer"); err != nil {
			t.Error(err)
		}
	})
	holds(t, s, "before", "")
	holds(t, s, "overtaken", "newer")

	s.Reset()
	until(t, "the plugin serves", inState(s, pluginstore.Ready))
	load("kept", "loaded", "loaded", unwanted)
	holds(t, s, "overtaken", "newer")
	if e, ok, err := s.Get(ctx, "before"); err != nil || ok && string(e.Value) == "older" {
		t.Errorf("before holds %q, %v", e.Value, err)
	}
}
