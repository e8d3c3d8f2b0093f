//go:build unix

package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/redistest"
)

// mortal is a host's store on a plugin that the test kills.
type mortal struct {
	*pluginstore.Store
	t      *testing.T
	server *redistest.Server
	name   string // of the plugin's connections
}

func startMortal(t *testing.T, server *redistest.Server, name string, restart pluginstore.Restart) *mortal {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	log := &logBuffer{}
	s, err := pluginstore.Open(t.Context(), "redis://"+server.Addr(), &pluginstore.Options{
		Dirs:     []string{built},
		Insecure: []string{path},
		Settings: url.Values{"client_name": {name}},
		Logger:   slog.New(slog.NewTextHandler(log, nil)),
		Restart:  restart,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if strings.Contains(log.String(), "DATA RACE") || t.Failed() {
			t.Errorf("the log:\n%s", log)
		}
	})
	return &mortal{s, t, server, name}
}

// kill kills the plugin, and returns when the server has done all that it will
// ever do of what the plugin had sent.
func (m *mortal) kill() {
	m.t.Helper()
	connected := m.connections()
	if len(connected) == 0 {
		m.t.Fatalf("the plugin of %s has no connection", m.name)
	}
	if err := syscall.Kill(m.Status().PID, syscall.SIGKILL); err != nil {
		m.t.Fatal(err)
	}
	until(m.t, "the server has closed the plugin's connections", func() bool {
		now := m.connections()
		return !slices.ContainsFunc(connected, func(id string) bool { return slices.Contains(now, id) })
	})
}

// connections are the ids of the plugin's connections.
func (m *mortal) connections() (ids []string) {
	m.t.Helper()
	for line := range strings.Lines(m.server.Do("CLIENT", "LIST").(string)) {
		if fields := strings.Fields(line); slices.Contains(fields, "name="+m.name) {
			ids = append(ids, fields[0])
		}
	}
	return ids
}

// serves waits until a process of a later generation serves.
func (m *mortal) serves(after uint64) {
	m.t.Helper()
	until(m.t, "the plugin of "+m.name+" is back", func() bool {
		now := m.Status()
		return now.Generation > after && now.State == pluginstore.Ready
	})
}

// counted is the answer to one Increment.
type counted struct {
	n              int64
	expires, began int64 // unix milliseconds
}

// However many callers of two hosts count in windows of a second, each window
// counts from one on without a gap, and together they count every call.
func TestWindowsAreExact(t *testing.T) {
	t.Parallel()
	const (
		callers = 64
		window  = time.Second
		pace    = 2 * time.Millisecond // the machine is to have time for the servers
	)
	s := redistest.Start(t, redistest.Options{})
	hosts := [2]*plugin{start(t, "redis://"+s.Addr(), nil), start(t, "redis://"+s.Addr(), nil)}
	ctx, stop := context.WithTimeout(t.Context(), 3*window)
	defer stop()
	var answers [callers][]counted
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for ctx.Err() == nil {
				began := time.Now()
				n, expires, err := hosts[caller%2].Increment(t.Context(), "n", 1, cache.Deadline(began, window))
				if err != nil {
					t.Error(err)
					return
				}
				answers[caller] = append(answers[caller], counted{n, expires.UnixMilli(), began.UnixMilli()})
				<-tick.C
			}
		})
	}
	all.Wait()
	windows, err := exact(slices.Concat(answers[:]...))
	if err != nil {
		t.Error(err)
	}
	if len(windows) < 3 {
		t.Errorf("there were %d windows: nothing was tested", len(windows))
	}
	t.Logf("windows of %v calls", windows)
}

// exact returns how many calls each window counted, and an error unless each
// counted exactly.
func exact(answers []counted) (windows []int, err error) {
	slices.SortFunc(answers, func(a, b counted) int {
		return cmp.Or(cmp.Compare(a.expires, b.expires), cmp.Compare(a.n, b.n))
	})
	for i, a := range answers {
		if i == 0 || a.expires != answers[i-1].expires {
			windows = append(windows, 0)
		}
		windows[len(windows)-1]++
		switch n := windows[len(windows)-1]; {
		case a.n != int64(n):
			return windows, fmt.Errorf("the window until %d counts %d as number %d", a.expires, n, a.n)
		case a.began > a.expires:
			return windows, fmt.Errorf("the window until %d counts a call of %d", a.expires, a.began)
		}
	}
	return windows, nil
}

func TestWindowsThatAreNotExact(t *testing.T) {
	for name, answers := range map[string][]counted{
		"a call is counted twice":       {{n: 1, expires: 9}, {n: 2, expires: 9}, {n: 2, expires: 9}},
		"a number is missing":           {{n: 1, expires: 9}, {n: 3, expires: 9}},
		"a window goes on":              {{n: 1, expires: 9}, {n: 2, expires: 9, began: 10}},
		"a window begins where another": {{n: 1, expires: 9}, {n: 2, expires: 19}},
		"a window is prolonged":         {{n: 1, expires: 9}, {n: 2, expires: 9}, {n: 3, expires: 10}},
	} {
		if windows, err := exact(answers); err == nil {
			t.Errorf("%s: %v is taken for exact", name, windows)
		}
	}
}
