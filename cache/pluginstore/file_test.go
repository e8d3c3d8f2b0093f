//go:build linux

package pluginstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

// A write that was acknowledged is there after the plugin was killed at any
// moment of a load of writes, in every mode of durability.
func TestKilledFilePluginLosesNothing(t *testing.T) {
	const cycles, writers = 50, 8
	l := newLab(t)
	if out, err := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(l.dirs[0], "harpia-store-file"), "../../plugins/file").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	dir := filepath.Join(t.TempDir(), "data")
	var tried, acknowledged [writers]int
	modes := []string{"interval", "never", "always"}
	for cycle := range cycles {
		o := l.options()
		o.Fallback = pluginstore.FallbackNone
		s, err := pluginstore.Open(t.Context(), fmt.Sprintf("file:%s?sync=%s", dir, modes[cycle%len(modes)]), o)
		if err != nil {
			t.Fatalf("cycle %d: %v", cycle, err)
		}
		for w := range writers {
			if n := counter(t, s, w); n < acknowledged[w] || n > tried[w] {
				t.Fatalf("cycle %d: writer %d has %d; %d was acknowledged and %d tried", cycle, w, n, acknowledged[w], tried[w])
			} else {
				tried[w], acknowledged[w] = n, n
			}
		}
		kill := time.AfterFunc(time.Duration(1+rand.IntN(40))*time.Millisecond, func() {
			_ = syscall.Kill(s.PID(), syscall.SIGKILL)
		})
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for {
					tried[w]++
					if err := write(t, s, w, tried[w]); err != nil {
						if !errors.Is(err, cache.ErrUnavailable) {
							t.Errorf("cycle %d: %v", cycle, err)
						}
						return
					}
					acknowledged[w] = tried[w]
				}
			})
		}
		wg.Wait()
		kill.Stop()
		_ = s.Close()
	}
	total := 0
	for _, n := range acknowledged {
		total += n
	}
	t.Logf("%d kills, %d acknowledged writes, none lost", cycles, total)
	if total < cycles {
		t.Errorf("only %d writes were acknowledged: nothing was tested", total)
	}
}

// write makes writer w's counter n: every other writer by Set, the rest by
// Increment.
func write(t *testing.T, s *pluginstore.Store, w, n int) error {
	key := fmt.Sprint("writer-", w)
	if w%2 == 0 {
		return s.Set(t.Context(), key, cache.Entry{Value: []byte(strconv.Itoa(n))})
	}
	_, _, err := s.Increment(t.Context(), key, 1, time.Time{})
	return err
}

func counter(t *testing.T, s *pluginstore.Store, w int) int {
	t.Helper()
	e, ok, err := s.Get(t.Context(), fmt.Sprint("writer-", w))
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(string(e.Value))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
