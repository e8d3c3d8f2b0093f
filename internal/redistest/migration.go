//go:build unix

package redistest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Migration moves a slot with its keys from one primary to another, while both
// serve. Its methods may be called in any goroutine, by one at a time.
type Migration struct {
	c        *Cluster
	slot     string
	from, to *Server
}

// MoveSlot moves a slot to another primary.
func (c *Cluster) MoveSlot(slot int, to *Server) {
	c.t.Helper()
	m, err := c.Migrate(slot, to)
	if err == nil {
		err = m.Finish()
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// Migrate begins to move a slot: from now on a key that its primary does not
// have, because it has gone or is new, is answered with ASK.
func (c *Cluster) Migrate(slot int, to *Server) (*Migration, error) {
	from, err := c.owner(slot)
	if err != nil {
		return nil, err
	}
	m := &Migration{c: c, slot: strconv.Itoa(slot), from: from, to: to}
	if _, err := to.Try("CLUSTER", "SETSLOT", m.slot, "IMPORTING", c.ids[from]); err != nil {
		return nil, err
	}
	_, err = from.Try("CLUSTER", "SETSLOT", m.slot, "MIGRATING", c.ids[to])
	return m, err
}

// Step moves up to n keys and reports whether there were any.
func (m *Migration) Step(n int) (bool, error) {
	answer, err := m.from.Try("CLUSTER", "GETKEYSINSLOT", m.slot, strconv.Itoa(n))
	keys, _ := answer.([]any)
	if err != nil || len(keys) == 0 {
		return false, err
	}
	const timeout = "5000" // ms
	command := []string{"MIGRATE", "127.0.0.1", m.to.Port(), "", "0", timeout, "AUTH2", admin, m.to.options.admin, "KEYS"}
	for _, key := range keys {
		command = append(command, key.(string))
	}
	_, err = m.from.Try(command...) // NOKEY, which is no error, if all have gone
	return true, err
}

// Finish moves what is left, gives the slot to its new primary, and waits until
// all nodes know of it.
func (m *Migration) Finish() error {
	const step = 16
	for more := true; more; {
		var err error
		if more, err = m.Step(step); err != nil {
			return err
		}
	}
	_, err := m.to.Try("CLUSTER", "SETSLOT", m.slot, "NODE", m.c.ids[m.to])
	for _, s := range m.c.Primaries {
		if s != m.to {
			_, e := s.Try("CLUSTER", "SETSLOT", m.slot, "NODE", m.c.ids[m.to])
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return err
	}
	return poll(func() error { return m.settled() })
}

// settled reports why not all nodes know of the move. One that does not know the
// epoch in which the new primary has the slot still believes what the old one
// has said before.
func (m *Migration) settled() error {
	epoch, err := clusterNode(m.to, m.c.ids[m.to])
	if err != nil {
		return err
	}
	for _, s := range m.c.Primaries {
		known, err := clusterNode(s, m.c.ids[m.to])
		if err == nil && known != epoch {
			err = fmt.Errorf("redistest: %s does not know of the move of a slot", s.Addr())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// clusterNode is what s knows of a node: its epoch and its slots.
func clusterNode(s *Server, id string) (string, error) {
	text, err := s.Try("CLUSTER", "NODES")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text.(string)) {
		if f := strings.Fields(line); len(f) > 8 && f[0] == id {
			return f[6] + " " + strings.Join(f[8:], " "), nil
		}
	}
	return "", fmt.Errorf("redistest: %s does not know %s", s.Addr(), id)
}
