//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/redistest"
)

// After a failover the store serves again by itself. Redis copies to its
// replicas after it has answered: what a primary had not copied when it died is
// lost, and so is what it took after a replica was promoted and before the
// sentinels told of it. That is counted here. Nothing is lost that was written
// to the new primary.
func TestFailoverUnderLoad(t *testing.T) {
	t.Parallel()
	w := redistest.StartSentinel(t, 1, redistest.Options{Password: "s3cret"})
	p := start(t, "redis://:s3cret@"+w.Addrs()[0], url.Values{
		"address": w.Addrs()[1:], "sentinel_master": {w.Name}, "timeout": {"500ms"},
	}, "s3cret")
	for _, c := range []struct {
		name string
		fail func(primary *redistest.Server)
	}{
		{"killed", func(primary *redistest.Server) { primary.Kill() }},
		{"ordered", func(*redistest.Server) { w.Failover() }},
	} {
		old := w.Primary()
		l := newLoad(p, c.name)
		l.progress()
		c.fail(old)
		w.Promoted(old)
		l.progress() // the errors have ended
		l.safe.Store(true)
		l.progress()
		lost := l.end()
		t.Logf("%s: %d writes acknowledged, %d calls failed, %d acknowledged writes lost", c.name, l.acknowledged.Load(), l.failed.Load(), lost)
		if now := w.Primary(); now == old {
			t.Errorf("%s: the primary is the old one", c.name)
		}
		if c.name == "killed" {
			old.Restart()
			w.Synced(w.Primary())
		}
	}
}

// load writes numbered keys, from a few callers at a time.
type load struct {
	p    *plugin
	name string
	stop context.CancelFunc
	all  sync.WaitGroup

	acknowledged, failed atomic.Int64
	safe                 atomic.Bool // what is written now may not be lost

	mu     sync.Mutex
	before []string // keys that were acknowledged
	after  []string // those that were begun when it was safe
}

func newLoad(p *plugin, name string) *load {
	ctx, cancel := context.WithCancel(p.t.Context())
	l := &load{p: p, name: name, stop: cancel}
	const callers = 4
	for c := range callers {
		l.all.Go(func() { l.write(ctx, c) })
	}
	return l
}

func (l *load) write(ctx context.Context, caller int) {
	pace := time.NewTicker(2 * time.Millisecond) // the machine is to have time for the servers
	defer pace.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		key, safe := fmt.Sprintf("%s-%d-%d", l.name, caller, n), l.safe.Load()
		switch err := l.p.set(key, strconv.Itoa(n)); {
		case err == nil:
			l.acknowledged.Add(1)
			l.mu.Lock()
			if safe {
				l.after = append(l.after, key)
			} else {
				l.before = append(l.before, key)
			}
			l.mu.Unlock()
		case errors.Is(err, cache.ErrUnavailable):
			l.failed.Add(1)
			if safe {
				l.p.t.Errorf("%s: after the failover: %v", l.name, err)
			}
		default:
			l.p.t.Errorf("%s: %v", l.name, err)
		}
		<-pace.C
	}
}

// progress waits until many writes in a row were acknowledged.
func (l *load) progress() {
	l.p.t.Helper()
	const enough = 200
	failed, from := l.failed.Load(), l.acknowledged.Load()
	until(l.p.t, "writes are acknowledged", func() bool {
		if now := l.failed.Load(); now != failed {
			failed, from = now, l.acknowledged.Load()
		}
		return l.acknowledged.Load()-from >= enough
	})
}

// end ends the load and returns how many acknowledged writes are not there.
func (l *load) end() (lost int) {
	l.p.t.Helper()
	l.stop()
	l.all.Wait()
	count := func(keys []string) (lost int) {
		found, err := cache.GetMany(l.p.t.Context(), l.p.Store, keys)
		if err != nil {
			l.p.t.Fatal(err)
		}
		for i := range found {
			if !found[i].Found {
				lost++
			}
		}
		return lost
	}
	if n := count(l.after); n > 0 || len(l.after) == 0 {
		l.p.t.Errorf("%s: of %d writes after the failover %d are lost", l.name, len(l.after), n)
	}
	return count(l.before)
}
