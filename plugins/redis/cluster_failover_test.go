//go:build unix

package main

import (
	"net/url"
	"testing"

	"github.com/harpia-go/harpia/internal/redistest"
)

// When a primary of a cluster dies its replica takes over, and the store serves
// again by itself. What the primary had acknowledged and not copied is lost, and
// counted here; nothing is that was written later.
func TestClusterFailoverUnderLoad(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, redistest.Options{})
	dies := c.Primaries[1]
	replica := c.Replicate(dies)
	p := start(t, "redis://"+c.Addrs()[0], url.Values{"timeout": {"500ms"}})
	pid := p.PID()
	l := newLoad(p, "cluster")
	l.progress()
	slot := 8192 // one of the second third
	if c.Owner(slot) != dies {
		t.Fatalf("slot %d is not that of the primary that is to die", slot)
	}
	dies.Kill()
	if by := c.Replaced(dies, slot); by != replica {
		t.Errorf("another than its replica took over")
	}
	l.progress() // the errors have ended
	l.safe.Store(true)
	l.progress()
	lost := l.end()
	t.Logf("%d writes acknowledged, %d calls failed, %d acknowledged writes lost", l.acknowledged.Load(), l.failed.Load(), lost)
	if p.PID() != pid {
		t.Error("the plugin was started again")
	}
}
