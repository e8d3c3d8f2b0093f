package shared

import (
	"io"
	"os"
	"sync/atomic"
	"time"
)

// How long a plugin may take to end once its standard input has.
const (
	// orphanGrace is for one whose host died.
	orphanGrace = 1500 * time.Millisecond
	// closeGrace is for one whose host asked for it; a host that is alive waits
	// no longer either.
	closeGrace = 8 * time.Second
)

// host is the process that started this one, as far as it can be seen from
// here. Standard input is a pipe that the host holds, so its end is the end of
// the host, however that came, or the host's last word.
type host struct {
	pid   int
	guard *guard
	left  atomic.Bool // standard input has ended
}

// watch waits for the end of standard input and calls end then. A plugin that
// is not done in time is ended by force.
func (h *host) watch(end func()) {
	_, _ = io.Copy(io.Discard, os.Stdin)
	h.left.Store(true)
	time.AfterFunc(orphanGrace, func() {
		if h.gone() {
			h.giveUp()
		}
		time.AfterFunc(closeGrace-orphanGrace, h.giveUp)
	})
	end()
}

// gone reports whether the host is dead. One that asked the plugin to end may
// die before that is done, which makes this process another's child.
func (h *host) gone() bool {
	return h.left.Load() && !h.guard.asked.Load() || os.Getppid() != h.pid
}

func (h *host) giveUp() {
	h.cleanUp()
	os.Exit(1)
}

// cleanUp is the last act: it removes and ends what a host would, if there is
// none any more. Of a host that lives nothing is taken.
func (h *host) cleanUp() {
	removeSocketDir()
	if h.gone() {
		endGroup()
	}
}
