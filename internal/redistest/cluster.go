//go:build unix

package redistest

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"testing"
)

// Slots is into how many a cluster's keys are divided.
const Slots = 16384

// Cluster is a cluster without replicas. The slots are divided evenly: the
// first primary has the first ones.
type Cluster struct {
	Primaries []*Server

	t   testing.TB
	ids map[*Server]string
}

// StartCluster starts a cluster and waits until each node serves its slots.
func StartCluster(t testing.TB, primaries int, o Options) *Cluster {
	t.Helper()
	o.admin = cmp.Or(o.admin, rand.Text())
	o.Config = append([]string{"cluster-enabled yes", "cluster-node-timeout 500"}, o.Config...)
	if o.TLS != nil {
		o.Config = append(o.Config, "tls-cluster yes")
	}
	c := &Cluster{t: t, ids: map[*Server]string{}}
	for range primaries {
		s := Start(t, o)
		c.Primaries = append(c.Primaries, s)
		c.ids[s] = s.Do("CLUSTER", "MYID").(string)
	}
	for i, s := range c.Primaries {
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		command := []string{"CLUSTER", "ADDSLOTS"}
		for slot := i * Slots / primaries; slot < (i+1)*Slots/primaries; slot++ {
			command = append(command, strconv.Itoa(slot))
		}
		s.Do(command...)
		c.Primaries[0].Do("CLUSTER", "MEET", "127.0.0.1", s.Port())
	}
	for _, s := range c.Primaries {
		Until(t, "the cluster is whole", func() error { return c.whole(s) })
	}
	// A short one spares the wait of a node that has been alone; while it serves,
	// a busy machine must not make a node think that another is dead.
	for _, s := range c.Primaries {
		s.Do("CONFIG", "SET", "cluster-node-timeout", "5000")
	}
	return c
}

// whole reports why a node does not know all of the cluster.
func (c *Cluster) whole(s *Server) error {
	slots, err := s.Try("CLUSTER", "SLOTS")
	if err != nil {
		return err
	}
	if n := len(slots.([]any)); n != len(c.Primaries) {
		return fmt.Errorf("it knows %d ranges of slots", n)
	}
	const probe = "{}redistest" // no tag: any slot will do
	if _, err := s.Try("GET", probe); err != nil {
		if refused, ok := errors.AsType[Error](err); !ok || refused[:5] != "MOVED" {
			return err
		}
	}
	return nil
}

// Addrs are the primaries' hosts and ports.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, s := range c.Primaries {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Slot returns the slot of a key.
func (c *Cluster) Slot(key string) int {
	c.t.Helper()
	return int(c.Primaries[0].Do("CLUSTER", "KEYSLOT", key).(int64))
}

// Owner returns the primary that serves a slot.
func (c *Cluster) Owner(slot int) *Server {
	c.t.Helper()
	s, err := c.owner(slot)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *Cluster) owner(slot int) (*Server, error) {
	answer, err := c.Primaries[0].Try("CLUSTER", "SLOTS")
	if err != nil {
		return nil, err
	}
	for _, entry := range answer.([]any) {
		owned := entry.([]any)
		if int64(slot) < owned[0].(int64) || int64(slot) > owned[1].(int64) {
			continue
		}
		id := owned[2].([]any)[2]
		for s, own := range c.ids {
			if own == id {
				return s, nil
			}
		}
	}
	return nil, fmt.Errorf("redistest: nobody has slot %d", slot)
}
