//go:build unix

package redistest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"testing"
)

func TestServer(t *testing.T) {
	s := Start(t, Options{Password: "secret", Users: []string{"alice on >word ~a* +get +set"}})
	s.Do("SET", "k", "v")
	if got := s.Do("GET", "k"); got != "v" {
		t.Errorf("the value is %v", got)
	}
	if _, err := s.Try("INCR", "k"); err == nil || !strings.HasPrefix(err.Error(), "ERR") {
		t.Errorf("INCR of no number: %v", err)
	}
	addr := s.Addr()
	s.Stop()
	if _, err := s.Try("PING"); err == nil {
		t.Error("it answers though it was stopped")
	}
	s.Restart()
	if got := s.Do("GET", "k"); got != nil || s.Addr() != addr {
		t.Errorf("after a restart at %s, not %s, the value is %v", s.Addr(), addr, got)
	}
	// What is written on request outlives even a kill.
	s = Start(t, Options{Config: []string{"appendonly yes", "appendfsync always"}})
	s.Do("SET", "k", "v")
	s.Kill()
	s.Restart()
	if got := s.Do("GET", "k"); got != "v" {
		t.Errorf("the value is %v", got)
	}
}

func TestTLS(t *testing.T) {
	certs := NewCertificates(t, "localhost", "127.0.0.1")
	s := Start(t, Options{TLS: certs})
	text, err := os.ReadFile(certs.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	for name, good := range map[string]bool{"localhost": true, "127.0.0.1": true, "other": false} {
		conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: pool, ServerName: name})
		if (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}

func TestProxy(t *testing.T) {
	s := Start(t, Options{})
	p := StartProxy(t, s, func(_ context.Context, command []string, forward func() []byte) []byte {
		switch command[0] {
		case "HELLO":
			return []byte("-ERR unknown command\r\n")
		case "QUIT":
			return nil
		}
		return bytes.ReplaceAll(forward(), []byte("one"), []byte("two"))
	})
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, words := range [][]string{{"HELLO", "3"}, {"SET", "k", "one"}, {"GET", "k"}, {"QUIT"}} {
		if _, err := conn.Write(encode(words)); err != nil {
			t.Fatal(err)
		}
	}
	var all bytes.Buffer
	_, err = all.ReadFrom(conn)
	if want := "-ERR unknown command\r\n+OK\r\n$3\r\ntwo\r\n"; err != nil || all.String() != want {
		t.Errorf("%q, want %q: %v", all.String(), want, err)
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	w := StartSentinel(t, 1, Options{Password: "secret"})
	first := w.Primary()
	first.Do("SET", "k", "v")
	w.Synced(first)
	w.Failover()
	second := w.Primary()
	if got := second.Do("GET", "k"); second == first || got != "v" {
		t.Errorf("the new primary has %v", got)
	}
	w.Synced(second)
	second.Kill()
	w.Promoted(second)
	if got := first.Do("GET", "k"); got != "v" {
		t.Errorf("the first primary, which is it again, has %v", got)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3, Options{Password: "secret"})
	const key = "{tag}k"
	slot := c.Slot(key)
	from, to := c.Owner(slot), c.Primaries[0]
	if from == to {
		to = c.Primaries[1]
	}
	from.Do("SET", key, "v")
	m, err := c.Migrate(slot, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if some, err := m.Step(1); some != want || err != nil {
			t.Errorf("a step moves some: %v, %v", some, err)
		}
	}
	if _, err := from.Try("GET", key); err == nil || !strings.HasPrefix(err.Error(), "ASK") {
		t.Errorf("the old primary says %v", err)
	}
	if err := m.Finish(); err != nil {
		t.Error(err)
	}
	if got := to.Do("GET", key); got != "v" || c.Owner(slot) != to {
		t.Errorf("the value is %v", got)
	}
	c.MoveSlot(slot, from)
	if got := from.Do("GET", key); got != "v" || c.Owner(slot) != from {
		t.Errorf("back again, the value is %v", got)
	}
}
