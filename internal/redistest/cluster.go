//go:build unix

package redistest

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Slots is into how many a cluster's keys are divided.
const Slots = 16384

// Cluster is a cluster without replicas. The slots are divided evenly: the
// first primary has the first ones.
type Cluster struct {
	Primaries []*Server

	t       testing.TB
	options Options
	ids     map[*Server]string
}

// StartCluster starts a cluster and waits until each node serves its slots.
func StartCluster(t testing.TB, primaries int, o Options) *Cluster {
	t.Helper()
	o.admin = cmp.Or(o.admin, rand.Text())
	o.Config = append([]string{"cluster-enabled yes", "cluster-node-timeout 500"}, o.Config...)
	if o.TLS != nil {
		o.Config = append(o.Config, "tls-cluster yes")
	}
	c := &Cluster{t: t, options: o, ids: map[*Server]string{}}
	for i := range primaries {
		s := c.meet()
		command := []string{"CLUSTER", "ADDSLOTS"}
		for slot := i * Slots / primaries; slot < (i+1)*Slots/primaries; slot++ {
			command = append(command, strconv.Itoa(slot))
		}
		s.Do(command...)
	}
	c.wait(primaries)
	return c
}

// Join adds a primary without slots, and waits until all nodes know it.
func (c *Cluster) Join() *Server {
	c.t.Helper()
	ranges := len(c.Primaries[0].Do("CLUSTER", "SLOTS").([]any))
	s := c.meet()
	c.wait(ranges)
	return s
}

// meet starts a node and introduces it to the first.
func (c *Cluster) meet() *Server {
	c.t.Helper()
	s := Start(c.t, c.options)
	c.Primaries = append(c.Primaries, s)
	c.ids[s] = s.Do("CLUSTER", "MYID").(string)
	s.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(len(c.Primaries)))
	c.Primaries[0].Do("CLUSTER", "MEET", "127.0.0.1", s.Port())
	return s
}

// wait waits until each node knows all others and serves so many ranges of
// slots. A short time-out of nodes spares the wait of one that has been alone;
// while they serve, a busy machine must not make a node think that another is
// dead.
func (c *Cluster) wait(ranges int) {
	c.t.Helper()
	for _, s := range c.Primaries {
		Until(c.t, "the cluster is whole", func() error { return c.whole(s, ranges) })
	}
	for _, s := range c.Primaries {
		s.Do("CONFIG", "SET", "cluster-node-timeout", "5000")
	}
}

// whole reports why a node does not know all of the cluster.
func (c *Cluster) whole(s *Server, ranges int) error {
	nodes, err := s.Try("CLUSTER", "NODES")
	if err != nil {
		return err
	}
	for _, id := range c.ids {
		if !strings.Contains(nodes.(string), id) {
			return fmt.Errorf("it does not know %s", id)
		}
	}
	slots, err := s.Try("CLUSTER", "SLOTS")
	if err != nil {
		return err
	}
	if n := len(slots.([]any)); n != ranges {
		return fmt.Errorf("it knows %d ranges of slots", n)
	}
	const probe = "redistest" // in any slot
	_, err = s.Try("GET", probe)
	if refused, ok := errors.AsType[Error](err); ok && strings.HasPrefix(string(refused), "MOVED") {
		return nil
	}
	return err
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
