//go:build unix

package main

import (
	"bytes"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/storetest"
	"github.com/harpia-go/harpia/internal/redistest"
)

// alice is the user that the documentation recommends: it may do what is needed
// within one prefix.
func alice(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	const line = "\nuser harpia on >PASSWORD ~cache:* "
	_, rights, ok := strings.Cut(string(text), line)
	if !ok {
		t.Fatalf("the documentation has no line %q", line)
	}
	rights, _, _ = strings.Cut(rights, "\n")
	return "alice on >al1ce ~cache:* " + rights
}

// everything is all that a store can do but Flush: Redis has nothing like it.
const everything = cache.CanBatch | cache.CanAdd | cache.CanSwap | cache.CanCount |
	cache.CanTouch | cache.CanScan | cache.CanClear | cache.CanWatch

// The binary keeps the contract, whatever servers it has.
func TestConformance(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) *plugin{
		"socket": func(t *testing.T) *plugin {
			s := redistest.Start(t, redistest.Options{Password: "s3cret"})
			return start(t, "redis+unix://:s3cret@"+s.Socket(), nil, "s3cret")
		},
		"user over TLS": func(t *testing.T) *plugin {
			certs := redistest.NewCertificates(t)
			s := redistest.Start(t, redistest.Options{TLS: certs, Users: []string{"default off", alice(t)}})
			return start(t, "rediss://alice:al1ce@"+s.Addr(), url.Values{"tls_ca": {certs.CA}, "prefix": {"cache:"}}, "al1ce")
		},
		"sentinels": func(t *testing.T) *plugin {
			w := redistest.StartSentinel(t, 1, redistest.Options{Users: []string{"default off", alice(t)}})
			return start(t, "redis://alice:al1ce@"+w.Addrs()[0], url.Values{"address": w.Addrs()[1:], "prefix": {"cache:"}}, "al1ce")
		},
		"cluster": func(t *testing.T) *plugin {
			c := redistest.StartCluster(t, 3, redistest.Options{Users: []string{"default off", alice(t)}})
			return start(t, "redis://alice:al1ce@"+c.Addrs()[0], url.Values{"prefix": {"cache:"}}, "al1ce")
		},
		"release 6.2": func(t *testing.T) *plugin {
			return start(t, "redis://"+redistest.StartProxy(t, release62(t), release6(2)).Addr(), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.RunWant(t, everything, func(t *testing.T) cache.Store { return open(t).Store })
		})
	}
}

// release62 is a server without the commands that Redis 6.2 does not have.
func release62(t *testing.T) *redistest.Server {
	t.Helper()
	var without []string
	for _, command := range []string{"PEXPIRETIME", "EXPIRETIME", "EVAL_RO", "EVALSHA_RO", "FUNCTION", "FCALL", "FCALL_RO"} {
		without = append(without, "rename-command "+command+` ""`)
	}
	return redistest.Start(t, redistest.Options{Config: without})
}

// Scripts are loaded again by a server that has forgotten them.
func TestScriptsForgotten(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	p := start(t, "redis://"+s.Addr(), nil)
	for n := range int64(3) {
		got, _, err := p.Increment(t.Context(), "n", 1, inAnHour())
		if err != nil || got != n+1 {
			t.Errorf("Increment: %d, %v", got, err)
		}
		if err := p.set("k", "v"); err != nil {
			t.Error(err)
		}
		p.want("k", "v")
		if ok, err := p.CompareAndSwap(t.Context(), "k", []byte("v"), cache.Entry{Value: []byte("w")}); !ok || err != nil {
			t.Errorf("CompareAndSwap: %v, %v", ok, err)
		}
		s.Do("SCRIPT", "FLUSH", "SYNC")
	}
}

// Any program reads what the store wrote, and the store what any program wrote.
func TestValuesAreStoredAsTheyAre(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	p := start(t, "redis://"+s.Addr()+"/3", url.Values{"prefix": {"app:"}})
	json := `{"name":"Alice"}`
	if err := p.set("user:1", json); err != nil {
		t.Fatal(err)
	}
	c, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, step := range []struct {
		command []string
		want    any
	}{
		{[]string{"SELECT", "3"}, "OK"},
		{[]string{"GET", "app:user:1"}, json},
		{[]string{"PTTL", "app:user:1"}, int64(-1)},
		{[]string{"SET", "app:user:2", json + "2", "PX", "3600000"}, "OK"},
	} {
		if got, err := c.Do(step.command...); err != nil || got != step.want {
			t.Errorf("%v: %v, want %v: %v", step.command, got, step.want, err)
		}
	}
	e, ok, err := p.Get(t.Context(), "user:2")
	if err != nil || !ok || !bytes.Equal(e.Value, []byte(json+"2")) || e.Expires.IsZero() {
		t.Errorf("the store has %q, %v until %v: %v", e.Value, ok, e.Expires, err)
	}
	var keys []string
	for key, err := range p.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if len(keys) != 2 {
		t.Errorf("Scan yields %q", keys)
	}
}
