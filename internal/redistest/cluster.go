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

// Cluster is a cluster, without replicas at first. The slots are divided evenly:
// the first primary has the first ones.
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
		c.Primaries = append(c.Primaries, s)
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
	c.Primaries = append(c.Primaries, s)
	c.wait(ranges)
	return s
}

// Replicate adds a replica of a primary, and waits until it has all of its keys
// and all nodes know it. If the primary dies it takes over, after a second.
func (c *Cluster) Replicate(primary *Server) *Server {
	c.t.Helper()
	ranges := len(c.Primaries[0].Do("CLUSTER", "SLOTS").([]any))
	s := c.meet()
	c.wait(ranges)
	s.Do("CLUSTER", "REPLICATE", c.ids[primary])
	Until(c.t, "the replica has what the primary has", func() error {
		info, err := s.Try("INFO", "replication")
		if err == nil && !strings.Contains(info.(string), "master_link_status:up") {
			err = errors.New("it is not connected")
		}
		return err
	})
	for _, node := range append(c.Primaries, s) {
		node.Do("CONFIG", "SET", "cluster-node-timeout", "1000")
		Until(c.t, "all nodes know the replica for what it is", func() error {
			nodes, err := node.Try("CLUSTER", "NODES")
			if err == nil && !strings.Contains(nodes.(string), " slave "+c.ids[primary]+" ") && !strings.Contains(nodes.(string), " myself,slave "+c.ids[primary]+" ") {
				err = errors.New("it does not")
			}
			return err
		})
	}
	return s
}

// Replaced waits until the slot of a primary that died, which is not the first,
// belongs to another node, and returns that.
func (c *Cluster) Replaced(primary *Server, slot int) (by *Server) {
	c.t.Helper()
	Until(c.t, "a replica has taken over", func() error {
		owner, err := c.owner(slot)
		if err == nil && owner == primary {
			err = errors.New("none has")
		}
		by = owner
		return err
	})
	return by
}

// meet starts a node and introduces it to the first.
func (c *Cluster) meet() *Server {
	c.t.Helper()
	s := Start(c.t, c.options)
	c.ids[s] = s.Do("CLUSTER", "MYID").(string)
	s.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(len(c.ids)))
	if len(c.Primaries) > 0 {
		c.Primaries[0].Do("CLUSTER", "MEET", "127.0.0.1", s.Port())
	}
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
