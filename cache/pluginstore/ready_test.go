//go:build linux

package pluginstore_test

import (
	"testing"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

func TestStatusOfMemory(t *testing.T) {
	s, err := pluginstore.Open(t.Context(), "memory", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if st := s.Status(); st.State != pluginstore.Ready || st.Since.IsZero() || st.Generation != 0 {
		t.Errorf("the status is %+v", st)
	}
}

// Whoever asks at the very moment of a plugin's death learns what a call would:
// memory serves.
func TestReadyWhileThePluginDies(t *testing.T) {
	l := newLab(t)
	s := l.open(t, "durable:"+t.TempDir(), quick(l.options()))
	for range 10 {
		before := s.Status().Generation
		kill(t, s)
		until(t, "another process serves", func() bool {
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("Ready: %v", err)
			}
			st := s.Status()
			return st.State == pluginstore.Ready && st.Generation > before
		})
	}
}
