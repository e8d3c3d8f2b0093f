//go:build unix

package main

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/redistest"
	"github.com/harpia-go/harpia/shared"
)

// What goes wrong with a server is told in one sentence and with the right
// sentinel, in time, without a secret, and is over when the server is well
// again: the plugin that is there at the end is the one from the beginning.

func TestServerDownAtStart(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{Password: "s3cret"})
	s.Kill()
	p := start(t, "redis://:s3cret@"+s.Addr(), nil, "s3cret")
	_, err := p.get("k")
	refuses(t, err, cache.ErrUnavailable, "nobody listens on "+s.Addr())
	refuses(t, p.set("k", "v"), cache.ErrUnavailable, "nobody listens on "+s.Addr())
	s.Restart()
	until(t, "the store serves", func() bool { return p.set("k", "v") == nil })
	p.want("k", "v")
	if got := s.Do("GET", "k"); got != "v" {
		t.Errorf("the server holds %v", got)
	}
}

func TestServerGoesAndComesBack(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	p := start(t, "redis://"+s.Addr(), nil)
	for range 3 {
		if err := p.set("k", "v"); err != nil {
			t.Fatal(err)
		}
		s.Kill()
		until(t, "the store has noticed", func() bool { return p.set("k", "v") != nil })
		refuses(t, p.set("k", "v"), cache.ErrUnavailable, "nobody listens on "+s.Addr())
		s.Restart()
		until(t, "the store serves", func() bool { _, err := p.get("k"); return err == nil })
	}
}

func TestServerThatNeverAnswers(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	timeout := url.Values{"timeout": {"200ms"}}
	early := start(t, "redis://"+s.Addr(), timeout)
	early.want("k", "-")
	s.Pause()
	late := start(t, "redis://"+s.Addr(), timeout)
	for range 3 {
		for _, p := range []*plugin{early, late} {
			_, err := p.get("k")
			refuses(t, err, cache.ErrUnavailable, "did not answer within 200ms")
		}
	}
	s.Resume()
	for _, p := range []*plugin{early, late} {
		until(t, "the store serves", func() bool { return p.set("k", "v") == nil })
	}
}

// A caller's own end is told as it is, and breaks nothing for others: across
// the host, and in the store itself.
func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	timeout := url.Values{"timeout": {"30s"}}
	p := start(t, "redis://"+s.Addr(), timeout)
	for name, store := range map[string]cache.Store{"host": p.Store, "store": inProcess(t, "redis://"+s.Addr(), timeout)} {
		if err := store.Set(t.Context(), "k", cache.Entry{}); err != nil {
			t.Fatal(err)
		}
		s.Pause()
		others := make(chan error)
		go func() { others <- store.Set(t.Context(), "other", cache.Entry{}) }()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, _, err := store.Get(ctx, "k")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("%s: a call that was given up ends with %v", name, err)
		}
		s.Resume()
		if err := <-others; err != nil {
			t.Errorf("%s: the other call: %v", name, err)
		}
	}
}

func TestLoading(t *testing.T) {
	t.Parallel()
	// It takes 1 ms for a key, and listens after every ten or so.
	s := redistest.Start(t, redistest.Options{Config: []string{
		"key-load-delay 1000", "loading-process-events-interval-bytes 1024", "rdbcompression no",
	}})
	s.Do("EVAL", "for i = 1, 20000 do redis.call('SET', i, string.rep('v', 100)) end", "0")
	p := start(t, "redis://"+s.Addr(), nil)
	s.Do("SAVE")
	s.Kill()
	s.Restart()
	until(t, "the server says that it loads", func() bool {
		_, err := p.get("1")
		if err == nil {
			t.Fatal("it served before it had loaded")
		}
		return errors.Is(err, cache.ErrUnavailable) && contains(err, "is loading its data into memory")
	})
	during := start(t, "redis://"+s.Addr(), nil)
	refuses(t, during.set("k", "v"), cache.ErrUnavailable, "is loading its data into memory")
	s.Do("CONFIG", "SET", "key-load-delay", "0")
	for _, p := range []*plugin{p, during} {
		until(t, "the store serves", func() bool { _, err := p.get("1"); return err == nil })
	}
}

func TestReplica(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	p := start(t, "redis://"+s.Addr(), nil)
	if err := p.set("k", "v"); err != nil {
		t.Fatal(err)
	}
	s.Do("REPLICAOF", "127.0.0.1", "1")
	refuses(t, p.set("k", "w"), cache.ErrUnavailable, "the server is a replica and takes no writes")
	s.Do("CONFIG", "SET", "replica-serve-stale-data", "no")
	_, err := p.get("k")
	refuses(t, err, cache.ErrUnavailable, "the server is a replica that has lost its primary")
	s.Do("REPLICAOF", "NO", "ONE")
	until(t, "the store serves", func() bool { return p.set("k", "x") == nil })
	p.want("k", "x")
}

func TestMemoryFull(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	p := start(t, "redis://"+s.Addr(), nil)
	if err := p.set("k", "v"); err != nil {
		t.Fatal(err)
	}
	s.Do("CONFIG", "SET", "maxmemory", "1")
	refuses(t, p.set("k", "w"), cache.ErrUnavailable, "the server's memory is full")
	p.want("k", "v")
	if err := p.seen(p.Delete(t.Context(), "k")); err != nil {
		t.Errorf("Delete: %v", err)
	}
	s.Do("CONFIG", "SET", "maxmemory", "0")
	if err := p.set("k", "w"); err != nil {
		t.Error(err)
	}
}

func TestAuthenticationRefused(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{Password: "s3cret", Users: []string{"alice on >al1ce ~a* resetchannels -@all +hello +get +info"}})
	for name, c := range map[string]struct {
		url      string
		settings url.Values
		text     string
	}{
		"wrong":    {"redis://:wr0ng@" + s.Addr(), nil, "the server refuses the user or the password"},
		"setting":  {"redis://" + s.Addr(), url.Values{"password": {"wr0ng"}}, "the server refuses the user or the password"},
		"stranger": {"redis://bob:wr0ng@" + s.Addr(), nil, "the server refuses the user or the password"},
		"none":     {"redis://" + s.Addr(), nil, "the server wants a password"},
	} {
		_, err := tryStart(t, c.url, c.settings, "wr0ng", "s3cret")
		if err == nil {
			t.Errorf("%s: it starts", name)
			continue
		}
		refuses(t, err, shared.ErrSetting, c.text)
	}
	// What a user may do is seen when it does it.
	p := start(t, "redis://alice:al1ce@"+s.Addr(), nil, "al1ce")
	refuses(t, p.set("k", "v"), cache.ErrUnavailable, "the server's access control list")
	s.Do("ACL", "SETUSER", "alice", "~*", "+@all")
	if err := p.set("k", "v"); err != nil {
		t.Error(err)
	}
}

func TestPasswordRotated(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{Password: "first0ne"})
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first0ne")
	p := start(t, "redis://"+s.Addr(), url.Values{"password_file": {file}}, "first0ne", "s3cond")
	if err := p.set("k", "v"); err != nil {
		t.Fatal(err)
	}
	s.Do("CONFIG", "SET", "requirepass", "s3cond")
	p.want("k", "v") // a connection outlives the password that it was made with
	s.Do("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
	until(t, "the store has noticed", func() bool {
		_, err := p.get("k")
		return contains(err, "the server refuses the user or the password")
	})
	refuses(t, p.set("k", "w"), cache.ErrUnavailable, "the server refuses the user or the password")
	write("s3cond")
	until(t, "the store serves", func() bool { _, err := p.get("k"); return err == nil })
	p.want("k", "v")
}

func TestTLSRefused(t *testing.T) {
	t.Parallel()
	certs, strangers := redistest.NewCertificates(t, "other.example"), redistest.NewCertificates(t)
	other := redistest.Start(t, redistest.Options{TLS: certs})
	good := redistest.NewCertificates(t)
	wants := redistest.Start(t, redistest.Options{TLS: good, Config: []string{"tls-auth-clients yes"}})
	plain := redistest.Start(t, redistest.Options{})
	for name, c := range map[string]struct {
		url      string
		settings url.Values
		text     string
	}{
		"name":      {"rediss://" + other.Addr(), url.Values{"tls_ca": {certs.CA}}, "the server's certificate is for another name"},
		"authority": {"rediss://" + wants.Addr(), url.Values{"tls_ca": {strangers.CA}}, "is signed by an authority that is not known here"},
		"system":    {"rediss://" + wants.Addr(), nil, "is signed by an authority that is not known here"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryStart(t, c.url, c.settings)
			refuses(t, err, shared.ErrSetting, c.text)
		})
	}
	// Here the server says nothing, or hangs up: what may be wrong is all that
	// can be told.
	timeout := "300ms"
	for name, c := range map[string]struct {
		url      string
		settings url.Values
		text     string
	}{
		"no client": {"rediss://" + wants.Addr(), url.Values{"tls_ca": {good.CA}}, "tls_cert and tls_key"},
		"plain":     {"rediss://" + plain.Addr(), url.Values{"tls_ca": {good.CA}, "timeout": {timeout}}, "redis://"},
		"encrypted": {"redis://" + other.Addr(), nil, "rediss://"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := tryStart(t, c.url, c.settings)
			if err == nil {
				_, err = p.get("k")
			}
			if !contains(err, c.text) {
				t.Errorf("the error is %v, want one that says %q", err, c.text)
			}
		})
	}
	p := start(t, "rediss://"+wants.Addr(), url.Values{"tls_ca": {good.CA}, "tls_cert": {good.Cert}, "tls_key": {good.Key}})
	if err := p.set("k", "v"); err != nil {
		t.Error(err)
	}
}

// A server that knows no RESP3 cannot tell of changes; it can do all else.
func TestServerWithoutRESP3(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{Password: "s3cret", Config: []string{`rename-command HELLO ""`}})
	p := start(t, "redis://:s3cret@"+s.Addr(), nil, "s3cret")
	if err := p.set("k", "v"); err != nil {
		t.Error(err)
	}
	p.want("k", "v")
	for change, err := range p.Watch(t.Context()) {
		if p.seen(err); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Watch yields %+v, %v", change, err)
		}
		break
	}
}

func TestOldServer(t *testing.T) {
	t.Parallel()
	proxy := redistest.StartProxy(t, redistest.Start(t, redistest.Options{}), release6(0))
	_, err := tryStart(t, "redis://"+proxy.Addr(), nil)
	refuses(t, err, shared.ErrSetting, "6.2 or later is needed")
}

// Where an old server comes up after the plugin, the calls tell it.
func TestOldServerLater(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	up := make(chan struct{})
	proxy := redistest.StartProxy(t, s, func(ctx context.Context, command []string, forward func() []byte) []byte {
		select {
		case <-up:
			return release6(0)(ctx, command, forward)
		default:
			return nil
		}
	})
	p := start(t, "redis://"+proxy.Addr(), nil)
	close(up)
	until(t, "a call tells the version", func() bool {
		err := p.set("k", "v")
		return errors.Is(err, cache.ErrUnavailable) && contains(err, "6.2 or later is needed")
	})
}

// A listener that is no Redis is told from one that does not answer.
func TestNoRedis(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	p := start(t, "redis://"+l.Addr().String(), nil)
	if err := p.set("k", "v"); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("the error is %v", err)
	}
}
