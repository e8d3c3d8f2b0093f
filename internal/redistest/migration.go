//go:build unix

package redistest

import "strconv"

// Migration moves a slot with its keys from one primary to another, while both
// serve.
type Migration struct {
	c        *Cluster
	slot     string
	from, to *Server
}

// Migrate begins to move a slot: keys that are not there any more, and new
// ones, are answered with ASK.
func (c *Cluster) Migrate(slot int, to *Server) *Migration {
	c.t.Helper()
	m := &Migration{c: c, slot: strconv.Itoa(slot), from: c.Owner(slot), to: to}
	to.Do("CLUSTER", "SETSLOT", m.slot, "IMPORTING", c.ids[m.from])
	m.from.Do("CLUSTER", "SETSLOT", m.slot, "MIGRATING", c.ids[to])
	return m
}

// Step moves up to n keys and reports whether there were any.
func (m *Migration) Step(n int) bool {
	m.c.t.Helper()
	keys := m.from.Do("CLUSTER", "GETKEYSINSLOT", m.slot, strconv.Itoa(n)).([]any)
	if len(keys) == 0 {
		return false
	}
	const timeout = "5000" // ms
	command := []string{"MIGRATE", "127.0.0.1", m.to.Port(), "", "0", timeout, "AUTH2", admin, m.to.options.admin, "KEYS"}
	for _, key := range keys {
		command = append(command, key.(string))
	}
	m.from.Do(command...) // NOKEY if all have gone meanwhile
	return true
}

// Finish moves what is left and gives the slot to its new primary.
func (m *Migration) Finish() {
	m.c.t.Helper()
	const step = 16
	for m.Step(step) {
	}
	m.to.Do("CLUSTER", "SETSLOT", m.slot, "NODE", m.c.ids[m.to])
	for _, s := range m.c.Primaries {
		if s != m.to {
			s.Do("CLUSTER", "SETSLOT", m.slot, "NODE", m.c.ids[m.to])
		}
	}
}

// MoveSlot moves a slot, a few keys at a time.
func (c *Cluster) MoveSlot(slot int, to *Server) {
	c.t.Helper()
	m := c.Migrate(slot, to)
	m.Finish()
}
