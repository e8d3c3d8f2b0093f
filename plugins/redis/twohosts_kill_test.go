//go:build unix

package main

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/redistest"
	"github.com/harpia-go/harpia/shared"
)

// While the plugin is killed and started again calls wait for it, and what was
// under way is made again, or found done. Nothing fails but counting that the server
// was sent, of which nobody knows whether it was done; and, in one of some two
// hundred deaths, what the process was just about to send. What was acknowledged is
// in the server at once.
func TestKilledPluginUnderLoad(t *testing.T) {
	t.Parallel()
	const callers, kills = 8, 2
	s := redistest.Start(t, redistest.Options{})
	m := startMortal(t, s, "killed", pluginstore.Restart{MaxDelay: 200 * time.Millisecond})
	l := &killLoad{t: t, m: m}
	for caller := range callers {
		c, err := s.Connect()
		if err != nil {
			t.Fatal(err)
		}
		l.all.Go(func() {
			defer c.Close()
			l.work(caller, c)
		})
	}
	l.progress(callers)
	var longest time.Duration
	for range kills {
		before, at := m.Status().Generation, time.Now()
		m.kill()
		m.serves(before)
		longest = max(longest, time.Since(at))
		l.progress(callers)
	}
	l.stop.Store(true)
	l.all.Wait()
	t.Logf("%d calls, with at most %v until a process served again; %d reads and %d writes failed; %d may have counted when it died",
		l.calls.Load(), longest.Round(time.Millisecond), l.failed.Load(), l.unsure.Load(), l.unknown.Load())
	if n := l.failed.Load(); n > 0 && longest < shared.CallTimeout {
		t.Errorf("%d calls failed though they had time to wait", n)
	}
	if n := l.unsure.Load(); n > callers {
		t.Errorf("%d writes failed: more than one death can explain", n)
	}
	if n := l.unknown.Load(); n > callers*kills {
		t.Errorf("%d failed to count: more than were under way", n)
	}
}

// killLoad are callers that write keys of their own, and count.
type killLoad struct {
	t       *testing.T
	m       *mortal
	stop    atomic.Bool
	all     sync.WaitGroup
	calls   atomic.Int64
	failed  atomic.Int64 // reads
	unsure  atomic.Int64 // writes
	unknown atomic.Int64 // counting that may have been done
}

// progress waits until the callers have made many calls.
func (l *killLoad) progress(callers int64) {
	l.t.Helper()
	from := l.calls.Load()
	until(l.t, "callers make calls", func() bool { return l.calls.Load()-from >= 100*callers || l.t.Failed() })
}

func (l *killLoad) work(caller int, direct *redistest.Conn) {
	pace := time.NewTicker(time.Millisecond) // the machine is to have time for the servers
	defer pace.Stop()
	key, count := fmt.Sprint("k", caller), fmt.Sprint("n", caller)
	least, most := int64(0), int64(0)
	for n := 0; !l.stop.Load(); n++ {
		value := strconv.Itoa(n)
		err := l.m.Set(l.t.Context(), key, cache.Entry{Value: []byte(value)})
		if errors.Is(err, cache.ErrUnavailable) {
			l.unsure.Add(1)
			continue
		}
		if err != nil {
			l.t.Error(err)
			return
		}
		if in, err := direct.Do("GET", key); in != value || err != nil {
			l.t.Errorf("Set of %s to %s is acknowledged, and the server has %v: %v", key, value, in, err)
			return
		}
		if e, _, err := l.m.Get(l.t.Context(), key); !l.lacks(err) && string(e.Value) != value {
			l.t.Errorf("%s is %q, want %s: %v", key, e.Value, value, err)
			return
		}
		sum, _, err := l.m.Increment(l.t.Context(), count, 1, time.Time{})
		most++
		switch {
		case errors.Is(err, cache.ErrUnavailable):
			l.unknown.Add(1)
		case err != nil || sum < least+1 || sum > most:
			l.t.Errorf("%s is %d, want %d to %d: %v", count, sum, least+1, most, err)
			return
		default:
			if in, err := direct.Do("GET", count); in != strconv.FormatInt(sum, 10) || err != nil {
				l.t.Errorf("%s is %d, acknowledged, and the server has %v: %v", count, sum, in, err)
				return
			}
			least, most = sum, sum
		}
		l.calls.Add(3)
		<-pace.C
	}
}

// lacks reports whether a call has failed for want of a plugin.
func (l *killLoad) lacks(err error) bool {
	switch {
	case errors.Is(err, cache.ErrUnavailable):
		l.failed.Add(1)
	case err != nil:
		l.t.Error(err)
	}
	return err != nil
}
