package shared

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/harpia-go/harpia/cache"
)

// A call that was under way when a process died may have been done, unless it
// never left the process. So a plugin whose store others share counts, in a file
// that outlives it, how many of the requests that arrived may have been sent on:
// those of each connection of the lane, in their order, and the largest number that
// the host gave a batch of writes.
const (
	forBatches = laneConns + iota
	numCounts
)

// Sender is a store that passes calls on, to a server of its own, and can say
// when. Serve gives it a function before the first call; the store calls it each
// time before it sends anything, from any goroutine. When the process is killed,
// calls that had not been sent are made again by the next one. Of a store that is
// no Sender, all calls that it was given count as sent.
type Sender interface {
	OnSend(sending func())
}

// NeverSent reports whether err is that of a call which certainly was not done,
// and will not be: it never came as far as the plugin's store, or the store had not
// sent it on (see Sender) when its process ended. False also where that is not
// known; Client.Ended comes before.
func NeverSent(err error) bool {
	var c interface{ NeverSent() bool }
	return errors.As(err, &c) && c.NeverSent()
}

// unansweredCall is the error of a request that got no answer.
type unansweredCall struct {
	error
	of     *hostCount
	number uint64 // among the requests that are counted together, from 1; 0: it did not leave this process
}

func (c *unansweredCall) Unwrap() error { return c.error }

// NeverSent is what the function of that name reports.
func (c *unansweredCall) NeverSent() bool { return c.of.before(c.number) }

// hostCounts is the host's view of the counts.
type hostCounts struct {
	all     [numCounts]hostCount
	batches atomic.Uint64 // messages of batches that were numbered
	read    sync.Once
}

type hostCount struct {
	known atomic.Bool
	sent  uint64
}

// before reports whether the request with the number was certainly not sent on.
func (c *hostCount) before(number uint64) bool {
	return number == 0 || c != nil && c.known.Load() && number > c.sent
}

// Ended is called when the plugin's process has ended, and before its directory
// is removed: what it leaves there tells which calls were never sent. It may be
// called again.
func (c *Client) Ended() {
	path := c.lane.GetSent()
	if path == "" || filepath.Dir(path) != filepath.Dir(c.lane.GetSocket()) {
		return
	}
	c.counts.read.Do(func() {
		counts, err := readCounts(path)
		if err != nil {
			return // then nothing is known
		}
		for i := range counts {
			c.counts.all[i].sent = counts[i]
			c.counts.all[i].known.Store(true)
		}
	})
}

// counter is the plugin's side of it. Without one nothing is counted.
type counter struct {
	path  string
	given [numCounts]atomic.Uint64  // what the store was given
	sent  *[numCounts]atomic.Uint64 // of that; in the file
	asked bool                      // the store says when it sends
}

// newCounter counts in a file of dir what store sends on.
func newCounter(dir string, store cache.Store) (*counter, error) {
	c := &counter{}
	var err error
	if c.path, c.sent, err = createCounts(dir); err != nil {
		return nil, err
	}
	if s, ok := store.(Sender); ok {
		c.asked = true
		s.OnSend(c.sending)
	}
	return c, nil
}

// give comes before the store is given requests, the last of which has the number.
func (c *counter) give(which int, number uint64) {
	if c == nil {
		return
	}
	raise(&c.given[which], number)
	if !c.asked {
		c.sending()
	}
}

// sending counts what the store was given as sent.
func (c *counter) sending() {
	for i := range c.given {
		raise(&c.sent[i], c.given[i].Load())
	}
}

func raise(n *atomic.Uint64, to uint64) {
	for {
		now := n.Load()
		if now >= to || n.CompareAndSwap(now, to) {
			return
		}
	}
}
