package main

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if role := os.Getenv(childRole); role != "" {
		os.Exit(runChild(role))
	}
	goleak.VerifyTestMain(m)
}

// configure opens s in dir with settings given as name, value, ….
func configure(s *Store, dir string, settings ...string) error {
	given := []shared.SettingValue{{Name: "dir", Value: dir}}
	for i := 0; i < len(settings); i += 2 {
		given = append(given, shared.SettingValue{Name: settings[i], Value: settings[i+1]})
	}
	set, err := shared.CheckSettings(s.Describe().Settings, given)
	if err != nil {
		return err
	}
	return s.Configure(context.Background(), set)
}

func mustConfigure(t testing.TB, s *Store, dir string, settings ...string) *Store {
	t.Helper()
	if err := configure(s, dir, settings...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, s) })
	return s
}

func open(t testing.TB, dir string, settings ...string) *Store {
	t.Helper()
	return mustConfigure(t, &Store{}, dir, settings...)
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func mustSet(t testing.TB, s *Store, key, value string, expires ...time.Time) {
	t.Helper()
	e := cache.Entry{Value: []byte(value)}
	if len(expires) > 0 {
		e.Expires = expires[0]
	}
	if err := s.Set(context.Background(), key, e); err != nil {
		t.Fatalf("Set(%q): %v", key, err)
	}
}

func wantValue(t testing.TB, s *Store, key, want string) {
	t.Helper()
	e, ok, err := s.Get(context.Background(), key)
	if err != nil || !ok || string(e.Value) != want {
		t.Fatalf("Get(%q) = %.40q, %v, %v; want %.40q", key, e.Value, ok, err, want)
	}
}

func wantMiss(t testing.TB, s *Store, key string) {
	t.Helper()
	if e, ok, err := s.Get(context.Background(), key); err != nil || ok {
		t.Fatalf("Get(%q) = %.40q, %v, %v; want a miss", key, e.Value, ok, err)
	}
}

// testClock is a clock that a test moves.
type testClock struct {
	mu    sync.Mutex
	now   time.Time
	ticks chan time.Time
}

// newTestClock is far ahead of the time: what expires by it is held in memory,
// which goes by the real one.
func newTestClock() *testClock {
	return &testClock{now: time.UnixMilli(4_100_000_000_000), ticks: make(chan time.Time)}
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Tick gives the ticks of the sweeper to sweepNow; all others never come.
func (c *testClock) Tick(d time.Duration) (<-chan time.Time, func()) {
	if d == sweepEvery {
		return c.ticks, func() {}
	}
	return nil, func() {}
}

// sweepNow returns once the sweeper has done all that a tick makes it do.
func (c *testClock) sweepNow() {
	// It takes the second tick when it has finished with the first.
	c.ticks <- time.Time{}
	c.ticks <- time.Time{}
}
