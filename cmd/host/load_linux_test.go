package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

// envLoadTime is how long TestLoad lasts, as 30s.
const envLoadTime = "HARPIA_LOAD_TIME"

// load is what clients saw of a host.
type load struct {
	*serving
	stop                  chan struct{}
	puts, deletes         atomic.Int64
	hits, misses          atomic.Int64
	refused, broken, lies atomic.Int64
}

// client is one connection, with keys that nobody else uses: it knows what
// they hold.
type client struct {
	*load
	http http.Client
	keys [8]string
	held [8]string // "" is nothing
	n    int
}

func (l *load) client(i int) *client {
	c := &client{load: l, http: http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: 20 * time.Second}}
	for k := range c.keys {
		c.keys[k] = fmt.Sprintf("%d:%d", i, k)
	}
	return c
}

// run makes requests until it is told to stop. A key may hold nothing at any
// time, and must not hold anything but what was put there last.
func (c *client) run() {
	for {
		select {
		case <-c.stop:
			return
		default:
		}
		k := rand.IntN(len(c.keys))
		switch rand.IntN(4) {
		case 0:
			c.n++
			value := fmt.Sprintf("%s %d %s", c.keys[k], c.n, strings.Repeat(".", rand.IntN(500)))
			if c.request(http.MethodPut, k, value) == http.StatusNoContent {
				c.held[k] = value
				c.puts.Add(1)
			}
		case 1:
			if c.request(http.MethodDelete, k, "") == http.StatusNoContent {
				c.held[k] = ""
				c.deletes.Add(1)
			}
		default:
			c.request(http.MethodGet, k, "")
		}
	}
}

// request makes one request and judges the answer.
func (c *client) request(method string, k int, body string) int {
	code, text, err := c.do(&c.http, method, c.keys[k], body)
	switch {
	case err != nil:
		c.complain(&c.broken, "%s %s: %v", method, c.keys[k], err)
	case method == http.MethodGet && code == http.StatusNotFound:
		c.misses.Add(1)
	case code/100 != 2:
		c.complain(&c.refused, "%s %s: %d %s", method, c.keys[k], code, text)
	case method == http.MethodGet && (text != c.held[k] || text == ""):
		c.complain(&c.lies, "GET %s: %.40q, want %.40q", c.keys[k], text, c.held[k])
	case method == http.MethodGet:
		c.hits.Add(1)
	}
	return code
}

// complain counts, and reports the first few.
func (l *load) complain(n *atomic.Int64, format string, args ...any) {
	if n.Add(1) <= 3 {
		l.t.Errorf(format, args...)
	}
}

// revive has a plugin that failed too often started again, as a person would,
// and reports whether that was needed.
func (l *load) revive() bool {
	now, ok := l.status()
	if !ok || now.State != pluginstore.Failed.String() {
		return false
	}
	l.signal(syscall.SIGHUP)
	l.until("the plugin is no longer given up", func() bool {
		now, ok := l.status()
		return ok && now.State != pluginstore.Failed.String()
	})
	return true
}

// upgrade replaces the plugin while it serves.
func (l *load) upgrade() {
	before, _ := l.status()
	l.signal(syscall.SIGHUP)
	l.until("another process serves", func() bool {
		now, ok := l.status()
		return ok && now.State == pluginstore.Ready.String() && now.Generation > before.Generation
	})
}

// killAll kills the plugin whenever it has served for a while, and revives it
// when it is not started again any more, until the time is over and both have
// happened.
func (l *load) killAll(last, every time.Duration) (kills, revivals int) {
	begin := time.Now()
	for next := begin.Add(every); time.Since(begin) < last || revivals == 0; time.Sleep(5 * time.Millisecond) {
		if l.revive() {
			revivals++
		}
		if time.Now().Before(next) {
			continue
		}
		if now, ok := l.status(); ok && now.Plugin != nil {
			if err := syscall.Kill(now.Plugin.PID, syscall.SIGKILL); err == nil {
				kills++
			}
			next = time.Now().Add(every)
		}
		if time.Since(begin) > last+time.Minute {
			l.t.Error("the plugin was never given up")
			break
		}
	}
	return kills, revivals
}

// Whatever happens to the plugin, nobody who puts, gets or deletes notices more
// than a miss; and in the end the plugin has all that it was given.
func TestLoad(t *testing.T) {
	last, every := 5*time.Second, 250*time.Millisecond
	if text := os.Getenv(envLoadTime); text != "" {
		var err error
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", envLoadTime, err)
		}
		every = time.Second
	}
	p := newPlace(t)
	l := &load{serving: p.serve(nil), stop: make(chan struct{})}
	var clients [32]*client
	var working sync.WaitGroup
	for i := range clients {
		clients[i] = l.client(i)
		working.Go(clients[i].run)
	}
	for range 3 {
		l.upgrade()
	}
	kills, revivals := l.killAll(last, every)
	close(l.stop)
	working.Wait()

	p.until("the plugin serves", func() bool {
		l.revive()
		now, ok := l.status()
		return ok && now.State == pluginstore.Ready.String()
	})
	lost := 0
	for _, c := range clients {
		for k, want := range c.held {
			if code, text, err := c.do(&c.http, http.MethodGet, c.keys[k], ""); err != nil || want != "" && text != want || want == "" && code != http.StatusNotFound {
				t.Errorf("in the end %s holds %.40q, %d, %v; want %.40q", c.keys[k], text, code, err, want)
				lost++
			}
		}
		c.http.CloseIdleConnections()
	}
	l.end()
	requests := l.puts.Load() + l.deletes.Load() + l.hits.Load() + l.misses.Load() + l.refused.Load() + l.broken.Load() + l.lies.Load()
	t.Logf("%v, 32 connections: %d requests (%d hits, %d misses), %d kills, %d times given up and revived; %d refused, %d broken, %d stale, %d lost",
		last, requests, l.hits.Load(), l.misses.Load(), kills, revivals, l.refused.Load(), l.broken.Load(), l.lies.Load(), lost)
	if l.hits.Load() == 0 || kills == 0 {
		t.Error("nothing was tested")
	}
}
