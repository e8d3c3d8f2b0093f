//go:build unix

package redistest

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Watched is a primary and its replicas, watched by three sentinels of which
// two must agree.
type Watched struct {
	// Name is that by which the sentinels know the primary.
	Name string
	// Servers are the primary and the replicas, in no order that lasts.
	Servers   []*Server
	Sentinels []*Server

	t testing.TB
}

// StartSentinel starts a primary, replicas and three sentinels, and waits until
// these know all of each other. The options are those of the primary and the
// replicas; the sentinels need no password.
func StartSentinel(t testing.TB, replicas int, o Options) *Watched {
	t.Helper()
	o.admin = cmp.Or(o.admin, rand.Text())
	o.Config = append([]string{
		"masteruser " + admin,
		"masterauth " + o.admin,
		"repl-diskless-sync-delay 0",
		"repl-ping-replica-period 1",
	}, o.Config...)
	w := &Watched{Name: "main", t: t}
	primary := Start(t, o)
	w.Servers = append(w.Servers, primary)
	o.Config = append(slices.Clone(o.Config), "replicaof 127.0.0.1 "+primary.Port())
	for range replicas {
		w.Servers = append(w.Servers, Start(t, o))
	}
	w.Synced(primary)
	w.watch(primary, o)
	return w
}

// watch starts the sentinels. They are told of each other and of the replicas,
// which they would find out in some seconds.
func (w *Watched) watch(primary *Server, o Options) {
	w.t.Helper()
	var ids []string
	for range 3 {
		s := newServer(w.t, Options{admin: o.admin}, "--sentinel")
		id := strings.ToLower(fmt.Sprintf("%x", rand.Text()))[:40]
		s.options.Config = []string{
			"sentinel myid " + id,
			fmt.Sprintf("sentinel monitor %s 127.0.0.1 %s 2", w.Name, primary.Port()),
			"sentinel auth-user " + w.Name + " " + admin,
			"sentinel auth-pass " + w.Name + " " + o.admin,
			"sentinel down-after-milliseconds " + w.Name + " 1000",
			"sentinel failover-timeout " + w.Name + " 5000",
		}
		for _, replica := range w.Servers[1:] {
			s.options.Config = append(s.options.Config, fmt.Sprintf("sentinel known-replica %s 127.0.0.1 %s", w.Name, replica.Port()))
		}
		w.Sentinels, ids = append(w.Sentinels, s), append(ids, id)
	}
	for i, s := range w.Sentinels {
		for j, other := range w.Sentinels {
			if i != j {
				s.options.Config = append(s.options.Config, fmt.Sprintf("sentinel known-sentinel %s 127.0.0.1 %s %s", w.Name, other.Port(), ids[j]))
			}
		}
	}
	for _, s := range w.Sentinels {
		s.configure()
		if err := s.start(); err != nil {
			w.t.Fatalf("redistest: a sentinel did not start: %v\n%s", err, s.out.last())
		}
		// Where the server has the command, all is done more often.
		_, _ = s.Try("SENTINEL", "DEBUG", "INFO-PERIOD", "500", "PING-PERIOD", "200", "ASK-PERIOD", "200", "PUBLISH-PERIOD", "500")
	}
	for _, s := range w.Sentinels {
		Until(w.t, "the sentinels agree", func() error {
			_, err := s.Try("SENTINEL", "CKQUORUM", w.Name)
			return err
		})
	}
}

// Addrs are the sentinels' hosts and ports.
func (w *Watched) Addrs() []string {
	var addrs []string
	for _, s := range w.Sentinels {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Primary is the server that the sentinels name.
func (w *Watched) Primary() *Server {
	w.t.Helper()
	var found *Server
	Until(w.t, "most sentinels name one primary", func() error {
		votes := map[*Server]int{}
		for _, s := range w.Sentinels {
			answer, _ := s.Try("SENTINEL", "GET-MASTER-ADDR-BY-NAME", w.Name)
			if addr, ok := answer.([]any); ok && len(addr) == 2 {
				for _, server := range w.Servers {
					if server.Port() == addr[1] {
						votes[server]++
					}
				}
			}
		}
		for server, n := range votes {
			if n > len(w.Sentinels)/2 {
				found = server
				return nil
			}
		}
		return errors.New("they do not")
	})
	return found
}

// Failover makes a replica the primary, as the sentinels do when the primary is
// down, and waits until the old one is a replica. Meanwhile both take writes.
func (w *Watched) Failover() {
	w.t.Helper()
	old := w.Primary()
	sentinel := w.Sentinels[0]
	Until(w.t, "a sentinel has made another server the primary", func() error {
		answer, err := sentinel.Try("SENTINEL", "MASTER", w.Name)
		if err != nil {
			return err
		}
		fields := answer.([]any)
		get := func(name string) string { return fields[slices.Index(fields, any(name))+1].(string) }
		switch {
		case get("port") != old.Port():
			return nil
		case !strings.Contains(get("flags"), "failover_in_progress"):
			// A failover that another sentinel crosses is given up, and there are
			// moments in which none can begin.
			if _, err := sentinel.Try("SENTINEL", "FAILOVER", w.Name); err != nil {
				return err
			}
		}
		return errors.New("it has not")
	})
	w.Promoted(old)
	Until(w.t, "the old primary is a replica", func() error { return infoIs(old, "role", "slave") })
}

// Promoted waits until another server than old is the primary.
func (w *Watched) Promoted(old *Server) {
	w.t.Helper()
	Until(w.t, "there is another primary", func() error {
		now := w.Primary()
		if now == old {
			return errors.New("it is the old one")
		}
		return infoIs(now, "role", "master")
	})
}

// Synced waits until the other servers hold all that primary does. One that is
// down is waited for.
func (w *Watched) Synced(primary *Server) {
	w.t.Helper()
	c, err := primary.Connect()
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	Until(w.t, "the replicas follow", func() error {
		// WAIT is about what its own connection has written.
		if _, err := c.Do("PUBLISH", "redistest", ""); err != nil {
			return err
		}
		const timeout = "100" // ms
		n, err := c.Do("WAIT", strconv.Itoa(len(w.Servers)-1), timeout)
		if err == nil && n != int64(len(w.Servers)-1) {
			err = fmt.Errorf("%d do", n)
		}
		return err
	})
}

func infoIs(s *Server, field, want string) error {
	got, err := s.Info(field)
	if err == nil && got != want {
		err = fmt.Errorf("%s is %q", field, got)
	}
	return err
}
