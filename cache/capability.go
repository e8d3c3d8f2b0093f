package cache

import (
	"errors"
	"fmt"
	"strings"
)

// Capability is a set of optional interfaces, one bit each.
type Capability uint32

// The optional interfaces that a store may have.
const (
	CanBatch Capability = 1 << iota // Batcher
	CanAdd                          // Adder
	CanSwap                         // Swapper
	CanCount                        // Counter
	CanTouch                        // Toucher
	CanScan                         // Scanner
	CanClear                        // Clearer
	CanWatch                        // Watcher
	CanFlush                        // Flusher
)

var capabilityNames = [...]string{"batch", "add", "swap", "count", "touch", "scan", "clear", "watch", "flush"}

// Has reports whether all of want are in c.
func (c Capability) Has(want Capability) bool { return c&want == want }

// Names lists the capabilities in c, such as "batch" or "swap".
func (c Capability) Names() []string {
	var names []string
	for i, name := range capabilityNames {
		if c.Has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}

func (c Capability) String() string { return strings.Join(c.Names(), " ") }

// Declarer is a store whose method set says more than it can do, such as the
// host's client of a plugin: it declares which of its optional methods work.
// The others answer errors.ErrUnsupported.
type Declarer interface {
	Capabilities() Capability
}

// CapabilitiesOf returns what s can do beyond Store: what it declares, or what
// its methods show.
func CapabilitiesOf(s Store) Capability {
	if d, ok := s.(Declarer); ok {
		return d.Capabilities()
	}
	var c Capability
	has := func(ok bool, bit Capability) {
		if ok {
			c |= bit
		}
	}
	_, ok := s.(Batcher)
	has(ok, CanBatch)
	_, ok = s.(Adder)
	has(ok, CanAdd)
	_, ok = s.(Swapper)
	has(ok, CanSwap)
	_, ok = s.(Counter)
	has(ok, CanCount)
	_, ok = s.(Toucher)
	has(ok, CanTouch)
	_, ok = s.(Scanner)
	has(ok, CanScan)
	_, ok = s.(Clearer)
	has(ok, CanClear)
	_, ok = s.(Watcher)
	has(ok, CanWatch)
	_, ok = s.(Flusher)
	has(ok, CanFlush)
	return c
}

func unsupported(op string) error {
	return fmt.Errorf("cache: the store has no %s: %w", op, errors.ErrUnsupported)
}
