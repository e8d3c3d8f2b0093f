//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/redistest"
)

// deaths is how often the plugin of each of two hosts is killed.
const deaths = 3

// often starts a plugin again soon, however often it dies.
var often = pluginstore.Restart{MinDelay: 20 * time.Millisecond, MaxDelay: 50 * time.Millisecond, Failures: 100}

// Whatever host calls come from, and though plugins are killed and connections
// break, each key is as if one call came after the other.
func TestHistoryOfTwoHosts(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	hosts := []*mortal{startMortal(t, s, "one", often), startMortal(t, s, "two", often)}
	l := startHistory(t, []cache.Store{hosts[0], hosts[1]}, 3)
	l.killEach(hosts)
	if key, ok := l.explained(t, byKey, linearizable); !ok {
		l.show(byKey, key)
		t.Errorf("no order of the calls explains what they saw of %s", key)
	}
}

// With near caches each host sees its own writes at once, and nothing older than
// it saw before; and in the end all see the same.
func TestHistoryOfTwoNearHosts(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, logged)
	hosts := []*mortal{startMortal(t, s, "one", often), startMortal(t, s, "two", often)}
	nears := []cache.Store{nearTo(t, hosts[0]), nearTo(t, hosts[1])}
	l := startHistory(t, nears, 3)
	l.killEach(hosts)
	for _, key := range l.keys {
		want, _ := s.Do("GET", key).(string)
		for host, near := range nears {
			until(t, fmt.Sprintf("host %d sees that %s is %q", host, key, want), func() bool {
				e, _, err := near.Get(t.Context(), key)
				return err == nil && string(e.Value) == want
			})
		}
	}
	l.order(t, s)
	if part, ok := l.explained(t, byHost, monotonic); !ok {
		l.show(byHost, part)
		t.Errorf("host and key %s: an older value was read after a newer", part)
	}
}

func byKey(op *operation) string  { return op.key }
func byHost(op *operation) string { return fmt.Sprint(op.host, op.key) }

func nearTo(t *testing.T, s cache.Store) *cache.Near {
	t.Helper()
	near, err := cache.NewNear(s, cache.NearOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	return near
}

// killEach kills the plugins in turn while callers call, breaks all connections to
// the server after each, and ends the load.
func (l *historyLoad) killEach(hosts []*mortal) {
	l.t.Helper()
	const calls = 150
	for n := range deaths * len(hosts) {
		l.progress(calls)
		host := n % len(hosts)
		generation, before := hosts[host].Status().Generation, l.now()
		hosts[host].kill()
		hosts[host].serves(generation)
		l.deaths = append(l.deaths, death{host, before, l.now()})
		l.progress(calls / 2)
		hosts[host].server.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	}
	l.progress(calls)
	l.end()
	unknown := map[string]int{}
	for _, op := range l.ops {
		if op.unknown {
			unknown[op.kind]++
		}
	}
	l.t.Logf("%d operations; of unknown outcome: %v", len(l.ops), unknown)
	l.settle()
}

// show logs a part of the history.
func (l *historyLoad) show(part func(*operation) string, name string) {
	for _, op := range l.ops {
		if part(op) == name {
			l.t.Logf("%+v", *op)
		}
	}
}

// stale is a store that now and then answers what it answered before.
type stale struct {
	*plugin
	mu     sync.Mutex
	before map[string]cache.Lookup
}

func (s *stale) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	e, ok, err := s.plugin.Get(ctx, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, had := s.before[key]
	s.before[key] = cache.Lookup{Entry: e, Found: ok}
	if had && err == nil && rand.IntN(20) == 0 {
		return old.Entry, old.Found, nil
	}
	return e, ok, err
}

// What the histories are checked for can be missed.
func TestHistoryOfAStaleStore(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, logged)
	open := func() *stale {
		return &stale{plugin: start(t, "redis://"+s.Addr(), nil), before: map[string]cache.Lookup{}}
	}
	hosts := []cache.Store{open(), open()}
	l := startHistory(t, hosts, 3)
	l.progress(1000)
	l.end()
	l.settle()
	if _, ok := l.explained(t, byKey, linearizable); ok {
		t.Error("a store that answers older values is taken for one that does not")
	}
	near := []cache.Store{nearTo(t, hosts[0]), nearTo(t, hosts[1])}
	l = startHistory(t, near, 3)
	l.progress(1000)
	l.end()
	l.settle()
	l.order(t, s)
	if _, ok := l.explained(t, byHost, monotonic); ok {
		t.Error("a host that reads older values is taken for one that does not")
	}
}
