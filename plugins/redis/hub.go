package main

import (
	"strings"
	"sync"

	"github.com/redis/rueidis"
)

// mostTold is how many changes wait for a consumer who is slow. One more, and
// they become one: that all has changed.
const mostTold = 1 << 16

// watcher collects what servers tell until its consumer takes it. Who tells never
// waits.
type watcher struct {
	prefix string    // of the store
	seen   *topology // of a cluster, when the watch began; its consumer's
	wake   chan struct{}

	mu   sync.Mutex
	keys []string
	all  bool
	err  error // it has ended
}

func newWatcher(prefix string) *watcher {
	return &watcher{prefix: prefix, wake: make(chan struct{}, 1)}
}

// tell takes keys that have changed; nil: all may have.
func (w *watcher) tell(keys []rueidis.RedisMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if keys == nil || len(w.keys)+len(keys) > mostTold {
		w.all, w.keys = true, nil
	}
	for i := range keys {
		full, err := keys[i].ToString()
		if key, ours := strings.CutPrefix(full, w.prefix); err == nil && ours && key != "" && !w.all {
			w.keys = append(w.keys, key)
		}
	}
	w.nudge()
}

func (w *watcher) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.nudge()
}

func (w *watcher) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take returns what was told since the last time: keys, or that all have
// changed, and after that perhaps the end.
func (w *watcher) take() (keys []string, all bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	keys, all = w.keys, w.all
	w.keys, w.all = nil, false
	return keys, all, w.err
}

// hub passes what servers tell to the watches of a session.
type hub struct {
	mu      sync.Mutex
	watches map[*watcher]struct{}
}

// add and remove return how many watches there are then. Those that have ended
// are none of them.
func (h *hub) add(w *watcher) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watches == nil {
		h.watches = make(map[*watcher]struct{})
	}
	h.watches[w] = struct{}{}
	return len(h.watches)
}

func (h *hub) remove(w *watcher) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watches, w)
	return len(h.watches)
}

// tell is called by the one goroutine that reads from a connection.
func (h *hub) tell(keys []rueidis.RedisMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watches {
		w.tell(keys)
	}
}

// end ends all watches: what they were told may not be all.
func (h *hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watches {
		w.end(errLost)
	}
	clear(h.watches)
}
