package pluginstore

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// What Near has copied and what serves during an outage never show an older
// value than the last that was written.
func TestNearThroughAnOutage(t *testing.T) {
	for _, keeps := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakes{t: t}
			if keeps {
				f.data = newData(t)
			}
			s := openFake(t, Options{}, f.launch)
			defer s.Close()
			n, err := cache.NewNear(s, cache.NearOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			for _, key := range []string{"kept", "written", "deleted", "swapped"} {
				put(t, n, key, "before")
			}
			f.last().die()
			synctest.Wait()
			put(t, n, "written", "meanwhile")
			if err := n.Delete(t.Context(), "deleted"); err != nil {
				t.Error(err)
			}
			if _, err := n.CompareAndSwap(t.Context(), "swapped", []byte("before"), entry("after")); !errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("CompareAndSwap: %v", err)
			}
			finds(t, n, "kept", "before")
			finds(t, n, "written", "meanwhile")
			finds(t, n, "deleted", "")
			finds(t, n, "swapped", "") // nobody knows
			time.Sleep(time.Minute)
			serves(t, s, 2)
			finds(t, n, "kept", "before")
			finds(t, n, "written", "meanwhile")
			finds(t, n, "deleted", "")
			if keeps {
				finds(t, n, "swapped", "before")
			} else {
				finds(t, n, "swapped", "")
			}
		})
	}
}

func TestNearNeedsAnExclusiveStoreOrAWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t}
		f.making(func(p *fakePlug) { p.known.Exclusive = false })
		s := openFake(t, Options{}, f.launch)
		defer s.Close()
		if n, err := cache.NewNear(s, cache.NearOptions{}); err == nil {
			t.Error("there is a Near over a shared store that cannot be watched")
			n.Close()
		}
	})
}
