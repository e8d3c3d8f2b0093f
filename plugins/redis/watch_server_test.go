//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/redistest"
)

// watched is what a watch has told.
type watched struct {
	mu   sync.Mutex
	keys map[string]int
	alls int
	end  error
	done chan struct{}
}

// watch follows a watch to its end, and returns when it has begun.
func watch(t *testing.T, p *plugin) *watched {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watched{keys: map[string]int{}, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for change, err := range p.Watch(ctx) {
			w.mu.Lock()
			switch {
			case err != nil:
				w.end = p.seen(err)
			case change.All:
				w.alls++
			default:
				w.keys[change.Key]++
			}
			w.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-w.done
	})
	until(t, "the watch has begun", func() bool { return w.all() > 0 || w.ended() })
	if w.ended() {
		t.Fatalf("the watch has ended: %v", w.end)
	}
	return w
}

func (w *watched) all() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.alls
}

func (w *watched) told(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keys[key] > 0
}

func (w *watched) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// breaks demands that the watch ends with the error of a lost connection.
func (w *watched) breaks(t *testing.T) {
	t.Helper()
	until(t, "the watch ends", w.ended)
	if !errors.Is(w.end, cache.ErrUnavailable) {
		t.Errorf("the watch ends with %v", w.end)
	}
}

// A watch tells of each kind of change that others make. Of what its own host
// changes it does not, scripts apart; nor of keys without the prefix.
func TestWatchTellsOfOthers(t *testing.T) {
	prefix := url.Values{"prefix": {"cache:"}}
	for name, servers := range map[string]func(t *testing.T) (addr string, do func(...string) any){
		"standalone": func(t *testing.T) (string, func(...string) any) {
			s := redistest.Start(t, redistest.Options{Users: []string{"default off", alice(t)}})
			return s.Addr(), s.Do
		},
		"sentinels": func(t *testing.T) (string, func(...string) any) {
			w := redistest.StartSentinel(t, 1, redistest.Options{Users: []string{"default off", alice(t)}})
			return w.Addrs()[0], w.Primary().Do
		},
		"cluster": func(t *testing.T) (string, func(...string) any) {
			c := redistest.StartCluster(t, 3, redistest.Options{Users: []string{"default off", alice(t)}})
			return c.Addrs()[0], func(words ...string) any { return c.Owner(c.Slot(words[1])).Do(words...) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, do := servers(t)
			one := start(t, "redis://alice:al1ce@"+addr, prefix, "al1ce")
			two := start(t, "redis://alice:al1ce@"+addr, prefix, "al1ce")
			ctx := t.Context()
			old := cache.Entry{Value: []byte("old"), Expires: inAnHour()}
			for _, key := range []string{"deleted", "touched", "swapped", "swapped away", "cleared/k", "many deleted"} {
				if err := two.Set(ctx, key, old); err != nil {
					t.Fatal(err)
				}
			}
			w := watch(t, one)
			failed := func(what string, ok bool, err error) {
				if !ok || err != nil {
					t.Errorf("%s: %v, %v", what, ok, err)
				}
			}
			own := make(map[string]bool)
			for i := range 20 {
				key := fmt.Sprintf("own-%d", i)
				own[key] = true
				failed("Set", true, one.Set(ctx, key, old))
				failed("Delete", true, one.Delete(ctx, key))
				ok, err := one.SetIfAbsent(ctx, key, old)
				failed("SetIfAbsent", ok, err)
				failed("SetMany", true, one.SetMany(ctx, []cache.Item{{Key: key, Entry: old}}))
				failed("DeleteMany", true, one.DeleteMany(ctx, []string{key}))
			}
			do("SET", "elsewhere:k", "v")
			do("SET", "cache:by another program", "v")
			failed("Set", true, two.Set(ctx, "set", old))
			failed("SetMany", true, two.SetMany(ctx, []cache.Item{{Key: "many set", Entry: old}}))
			failed("Delete", true, two.Delete(ctx, "deleted"))
			failed("DeleteMany", true, two.DeleteMany(ctx, []string{"many deleted"}))
			ok, err := two.Touch(ctx, "touched", inAnHour())
			failed("Touch", ok, err)
			ok, err = two.CompareAndSwap(ctx, "swapped", old.Value, cache.Entry{Value: []byte("new")})
			failed("CompareAndSwap", ok, err)
			ok, err = two.CompareAndDelete(ctx, "swapped away", old.Value)
			failed("CompareAndDelete", ok, err)
			ok, err = two.SetIfAbsent(ctx, "added", old)
			failed("SetIfAbsent", ok, err)
			_, _, err = two.Increment(ctx, "counted", 1, time.Time{})
			failed("Increment", true, err)
			failed("Clear", true, two.Clear(ctx, "cleared/"))
			for _, key := range []string{"by another program", "set", "many set", "deleted", "many deleted", "touched", "swapped", "swapped away", "added", "counted", "cleared/k"} {
				until(t, "the watch has told of "+key, func() bool { return w.told(key) })
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			for key := range w.keys {
				if own[key] || strings.Contains(key, "elsewhere") || strings.HasPrefix(key, "cache:") {
					t.Errorf("the watch tells of %q", key)
				}
			}
		})
	}
}

// A watch ends with an error when changes may have been missed, and the next
// one tells of what comes after.
func TestWatchLost(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	p := start(t, "redis://"+s.Addr(), url.Values{"timeout": {"200ms"}})
	for name, lose := range map[string]func(){
		"connection": func() { s.Do("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES") },
		"server": func() {
			s.Kill()
			s.Restart()
		},
		"silent server": s.Pause,
	} {
		w := watch(t, p)
		lose()
		w.breaks(t)
		if name == "silent server" {
			s.Resume()
		}
		until(t, "the store serves", func() bool { _, err := p.get("k"); return err == nil })
		w = watch(t, p)
		s.Do("SET", name, "v")
		until(t, "the new watch tells", func() bool { return w.told(name) })
	}
	w := watch(t, p)
	s.Do("FLUSHALL")
	until(t, "the watch tells that all has changed", func() bool { return w.all() > 1 || w.ended() })
}

// In a cluster any node that is lost may have told something, and a slot may
// go where nobody listened.
func TestWatchACluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, redistest.Options{})
	p := start(t, "redis://"+c.Addrs()[0], url.Values{"timeout": {"300ms"}})
	key := moved + "k"
	slot := c.Slot(key)
	w := watch(t, p)
	for n, to := range c.Primaries {
		if to == c.Owner(slot) {
			continue
		}
		c.MoveSlot(slot, to)
		key := fmt.Sprintf("%s-%d", key, n)
		to.Do("SET", key, "v")
		// A watch that ends when slots move is as good.
		until(t, "the watch tells of a key that has moved", func() bool { return w.told(key) || w.ended() })
		if w.ended() {
			w.breaks(t)
			w = watch(t, p)
		}
	}
	for _, s := range c.Primaries {
		s.Do("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
		w.breaks(t)
		until(t, "the store serves", func() bool { _, err := p.get(key); return err == nil })
		w = watch(t, p)
	}
}

// A node that joins a cluster tells nobody who does not ask: a watch notices
// that it serves.
func TestWatchANodeThatJoins(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 2, redistest.Options{})
	p := start(t, "redis://"+c.Addrs()[0], nil)
	w := watch(t, p)
	joined := c.Join()
	c.MoveSlot(c.Slot(moved), joined)
	joined.Do("SET", moved, "v")
	until(t, "the watch ends, or tells", func() bool { return w.ended() || w.all() > 1 || w.told(moved) })
	if w.ended() {
		w.breaks(t)
		w = watch(t, p)
	}
	joined.Do("SET", moved+"later", "v")
	until(t, "the new watch tells", func() bool { return w.told(moved + "later") })
}

// After a failover there is no watch on the old primary.
func TestWatchFailover(t *testing.T) {
	t.Parallel()
	servers := redistest.StartSentinel(t, 1, redistest.Options{})
	p := start(t, "redis://"+servers.Addrs()[0], url.Values{"timeout": {"500ms"}})
	w := watch(t, p)
	servers.Failover()
	w.breaks(t)
	until(t, "the store serves", func() bool { return p.set("k", "v") == nil })
	w = watch(t, p)
	servers.Primary().Do("SET", "other", "v")
	until(t, "the new watch tells", func() bool { return w.told("other") })
}

// Two hosts with near caches over one server: each reads its own writes at
// once, and the other's soon; without a connection no copy is used.
func TestNearOverRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	ctx := t.Context()
	var hosts [2]*cache.Near
	for i := range hosts {
		p := start(t, "redis://"+s.Addr(), url.Values{"timeout": {"500ms"}})
		near, err := cache.NewNear(p.Store, cache.NearOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = near.Close() })
		hosts[i] = near
	}
	reads := func(host int) string {
		e, _, err := hosts[host].Get(ctx, "k")
		if err != nil {
			return err.Error()
		}
		return string(e.Value)
	}
	for n := range 50 {
		writer, value := n%2, fmt.Sprint(n)
		if err := hosts[writer].Set(ctx, "k", cache.Entry{Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
		if got := reads(writer); got != value {
			t.Fatalf("the writer of %s reads %s", value, got)
		}
		until(t, "the other host sees it", func() bool { return reads(1-writer) == value })
	}
	for host := range hosts {
		until(t, "there is a copy", func() bool { reads(host); return hosts[host].Stats().Entries == 1 })
	}
	s.Kill()
	for host := range hosts {
		until(t, "no copy is used", func() bool { return strings.Contains(reads(host), "unavailable") })
	}
	s.Restart()
	for host := range hosts {
		until(t, "what was not on disk is gone", func() bool { return reads(host) == "" })
	}
}
