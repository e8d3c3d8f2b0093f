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

// prefixed embeds a store and has a SetIfAbsent of its own.
type prefixed struct {
	*pluginstore.Store
	filled []string
}

func (p *prefixed) SetIfAbsent(ctx context.Context, key string, e cache.Entry) (bool, error) {
	p.filled = append(p.filled, key)
	return p.Store.SetIfAbsent(ctx, "prefix/"+key, e)
}

// What is loaded goes through a wrapper, not past it.
func TestLoadsGoThroughAWrapper(t *testing.T) {
	l := newLab(t)
	w := &prefixed{Store: l.open(t, "durable:"+t.TempDir(), patient(l.options()))}
	c, err := cache.New[string](cache.Options{Store: w})
	if err != nil {
		t.Fatal(err)
	}
	kill(t, w.Store)
	until(t, "memory serves", func() bool { return w.Status().Fallback })
	if v, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (string, error) { return "v", nil }); err != nil || v != "v" {
		t.Errorf("GetOrLoad: %q, %v", v, err)
	}
	if len(w.filled) != 1 {
		t.Errorf("filled through the wrapper: %q", w.filled)
	}
	holds(t, w.Store, "k", "")
}
