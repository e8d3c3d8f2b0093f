//go:build linux

package pluginstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

func value(text string) cache.Entry { return cache.Entry{Value: []byte(text)} }

// holds fails unless key holds text, or nothing if text is empty.
func holds(t *testing.T, s cache.Store, key, text string) {
	t.Helper()
	e, ok, err := s.Get(t.Context(), key)
	if err != nil || ok != (text != "") || string(e.Value) != text {
		t.Errorf("%s holds %q, %v, %v; want %q", key, e.Value, ok, err, text)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is not so: %s", what)
		}
	}
}

func kill(t *testing.T, s *pluginstore.Store) {
	t.Helper()
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func inState(s *pluginstore.Store, want pluginstore.State) func() bool {
	return func() bool { return s.Status().State == want }
}

// patient lets a plugin that was killed stay down.
func patient(o *pluginstore.Options) *pluginstore.Options {
	o.Restart.MinDelay = time.Hour
	return o
}

func quick(o *pluginstore.Options) *pluginstore.Options {
	o.Restart = pluginstore.Restart{MinDelay: time.Millisecond, Failures: 1000}
	return o
}

func TestMemoryServesWhileThePluginIsDown(t *testing.T) {
	l := newLab(t)
	s := l.open(t, "durable:"+t.TempDir(), patient(l.options()))
	ctx := t.Context()
	for _, key := range []string{"kept", "overwritten", "deleted", "expires"} {
		if err := s.Set(ctx, key, value("before")); err != nil {
			t.Fatal(err)
		}
	}
	kill(t, s)
	if err := s.Set(ctx, "overwritten", value("meanwhile")); err != nil {
		t.Error(err)
	}
	if err := s.Delete(ctx, "deleted"); err != nil {
		t.Error(err)
	}
	soon := cache.Entry{Value: []byte("short"), Expires: time.Now().Add(50 * time.Millisecond)}
	if err := s.Set(ctx, "expires", soon); err != nil {
		t.Error(err)
	}
	if err := cache.SetMany(ctx, s, []cache.Item{{Key: "new", Entry: value("batch")}, {Key: "newer", Entry: value("batch")}}); err != nil {
		t.Error(err)
	}
	holds(t, s, "kept", "") // the plugin has it; a miss is allowed
	holds(t, s, "overwritten", "meanwhile")
	holds(t, s, "deleted", "")
	holds(t, s, "new", "batch")
	if _, _, err := s.Increment(ctx, "n", 1, time.Time{}); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Increment: %v", err)
	}
	for _, err := range s.Scan(ctx, "") {
		if !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Scan: %v", err)
		}
	}
	st := s.Status()
	if st.State != pluginstore.Degraded || !st.Fallback || st.PID != 0 || st.Journal.Entries != 5 {
		t.Errorf("the status is %+v", st)
	}
	if err := s.Ready(ctx); err != nil {
		t.Errorf("Ready: %v", err)
	}
	until(t, "the entry has expired", func() bool { return soon.Expired(time.Now()) })
	until(t, "the death is reported", func() bool { return s.Status().Err != nil })
	s.Reset()
	until(t, "the plugin serves", inState(s, pluginstore.Ready))
	for key, text := range map[string]string{
		"kept": "before", "overwritten": "meanwhile", "deleted": "", "expires": "", "new": "batch", "newer": "batch",
	} {
		holds(t, s, key, text)
	}
	st = s.Status()
	if st.Generation != 2 || st.Restarts != 1 || st.Fallback || st.PID == 0 || st.Journal != (pluginstore.JournalSize{}) {
		t.Errorf("the status is %+v", st)
	}
	if !errors.Is(st.Err, cache.ErrUnavailable) || !strings.Contains(st.Err.Error(), "killed") {
		t.Errorf("the status says: %v", st.Err)
	}
	if n, _, err := s.Increment(ctx, "n", 1, time.Time{}); err != nil || n != 1 {
		t.Errorf("Increment: %d, %v", n, err)
	}
}

func TestNothingServesWithoutFallback(t *testing.T) {
	l := newLab(t)
	o := patient(l.options())
	o.Fallback = pluginstore.FallbackNone
	s := l.open(t, "durable:"+t.TempDir(), o)
	if err := s.Set(t.Context(), "k", value("v")); err != nil {
		t.Fatal(err)
	}
	kill(t, s)
	// The first call may be the one that notices.
	for range 2 {
		_, _, err := s.Get(t.Context(), "k")
		if !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "killed") {
			t.Errorf("Get: %v", err)
		}
	}
	if err := s.Ready(t.Context()); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Ready: %v", err)
	}
	until(t, "the death is reported", func() bool { return s.Status().Err != nil })
	s.Reset()
	until(t, "the plugin serves", inState(s, pluginstore.Ready))
	holds(t, s, "k", "v")
}

func TestCallsWaitForASharedStore(t *testing.T) {
	l := newLab(t)
	s := l.open(t, "shared:"+t.TempDir(), quick(l.options()))
	if err := s.Set(t.Context(), "k", value("v")); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		kill(t, s)
		holds(t, s, "k", "v")
	}
	patiently := l.open(t, "shared:"+t.TempDir(), patient(l.options()))
	kill(t, patiently)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, _, err := patiently.Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Get: %v", err)
	}
	start := time.Now()
	if err := patiently.Set(t.Context(), "k", value("v")); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Set: %v", err)
	}
	t.Logf("Set waited %v", time.Since(start))
	c, err := cache.New[string](cache.Options{Store: patiently})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := c.GetOrLoad(t.Context(), "k", func(context.Context) (string, error) { return "loaded", nil }); err != nil || v != "loaded" {
		t.Errorf("GetOrLoad: %q, %v", v, err)
	}
}

func TestMemoryForASharedStoreEmptiesKeysAfterwards(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	o := patient(l.options())
	o.Fallback = pluginstore.FallbackMemory
	s := l.open(t, "shared:"+dir, o)
	for _, key := range []string{"k", "other"} {
		if err := s.Set(t.Context(), key, value("before")); err != nil {
			t.Fatal(err)
		}
	}
	kill(t, s)
	if err := s.Set(t.Context(), "k", value("meanwhile")); err != nil {
		t.Fatal(err)
	}
	holds(t, s, "k", "meanwhile")
	until(t, "the death is reported", func() bool { return s.Status().Err != nil })
	s.Reset()
	until(t, "the plugin serves", inState(s, pluginstore.Ready))
	holds(t, s, "k", "")
	holds(t, s, "other", "before")
}

func TestJournalOverflows(t *testing.T) {
	for _, c := range []struct {
		name           string
		keys           int
		kept, emptied  int // of the keys that were written meanwhile
		old            string
		clears, refuse bool
	}{
		{name: "it fits", keys: 4, kept: 4, old: "before"},
		{name: "without values", keys: 10, kept: 4, emptied: 6, old: "before"},
		{name: "clear", keys: 41, kept: 1, emptied: 40, clears: true},
		{name: "cannot be cleared", keys: 41, kept: 4, emptied: 36, old: "before", refuse: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			o := patient(l.options())
			o.Journal.Entries = 4
			storeURL := "durable:" + t.TempDir()
			if c.refuse {
				storeURL += "?plain=true"
			}
			s := l.open(t, storeURL, o)
			if err := s.Set(t.Context(), "old", value("before")); err != nil {
				t.Fatal(err)
			}
			kill(t, s)
			refused := 0
			for i := range c.keys {
				err := s.Set(t.Context(), fmt.Sprint("key-", i), value("meanwhile"))
				if errors.Is(err, cache.ErrUnavailable) && c.refuse {
					refused++
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if got := s.Status().Journal.Clear; got != c.clears {
				t.Errorf("to be cleared: %v", got)
			}
			until(t, "the death is reported", func() bool { return s.Status().Err != nil })
			s.Reset()
			until(t, "the plugin serves", inState(s, pluginstore.Ready))
			holds(t, s, "old", c.old)
			kept := 0
			for i := range c.keys {
				e, ok, err := s.Get(t.Context(), fmt.Sprint("key-", i))
				if err != nil || (ok && string(e.Value) != "meanwhile") {
					t.Errorf("key-%d: %q, %v", i, e.Value, err)
				}
				if ok {
					kept++
				}
			}
			if emptied := c.keys - kept - refused; kept != c.kept || emptied != c.emptied {
				t.Errorf("%d keys kept, %d emptied, %d refused; want %d and %d", kept, emptied, refused, c.kept, c.emptied)
			}
		})
	}
}

func TestStartingWithAPluginThatCannot(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	block := dir + "/block"
	o := quick(l.options())
	if _, err := pluginstore.Open(t.Context(), "durable:"+block, o); err == nil {
		t.Fatal("it opened without its directory")
	}
	o.Fallback = pluginstore.FallbackMemory
	s := l.open(t, "durable:"+block, o)
	if err := s.Set(t.Context(), "k", value("meanwhile")); err != nil {
		t.Error(err)
	}
	holds(t, s, "k", "meanwhile")
	if st := s.Status(); st.State == pluginstore.Ready || !st.Fallback || st.Err == nil {
		t.Errorf("the status is %+v", st)
	}
	if _, err := s.SetIfAbsent(t.Context(), "k", value("v")); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("SetIfAbsent: %v", err)
	}
	mkdir(t, block)
	until(t, "the plugin serves", inState(s, pluginstore.Ready))
	holds(t, s, "k", "meanwhile")
	// What no time mends is an error all the same.
	if _, err := pluginstore.Open(t.Context(), "durable:"+block+"?colour=blue", o); err == nil {
		t.Error("it opened with a setting that there is not")
	}
}

func TestBreaker(t *testing.T) {
	l := newLab(t)
	o := l.options()
	var changes states
	o.OnChange = changes.add
	o.Restart = pluginstore.Restart{MinDelay: time.Millisecond, Failures: 3}
	s := l.open(t, "durable:"+t.TempDir(), o)
	if err := s.Set(t.Context(), "k", value("v")); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		until(t, "the plugin serves", inState(s, pluginstore.Ready))
		kill(t, s)
		until(t, "its death is noticed", func() bool { st := s.Status(); return st.State != pluginstore.Ready || st.Restarts > i })
	}
	until(t, "the breaker is open", inState(s, pluginstore.Failed))
	if err := s.Delete(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	s.Reset()
	until(t, "the plugin serves", inState(s, pluginstore.Ready))
	holds(t, s, "k", "")
	want := "starting ready degraded degraded ready degraded degraded ready failed degraded ready"
	until(t, "changes are "+want, func() bool { return changes.String() == want })
}
