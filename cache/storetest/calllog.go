package storetest

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// callLog is what a case did to the store: the keys that it wrote, to remove
// them, and the calls that have not returned, to name the one that hangs.
type callLog struct {
	mu        sync.Mutex
	keys      map[string]bool
	open      map[string]int // calls under way, by method
	abandoned bool
}

func newCallLog() *callLog {
	return &callLog{keys: make(map[string]bool), open: make(map[string]int)}
}

// begin notes a call that writes keys; the function that it returns notes the
// call's end. In a case that was abandoned it ends the goroutine.
func (l *callLog) begin(method string, keys ...string) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.abandoned {
		runtime.Goexit()
	}
	for _, key := range keys {
		l.keys[key] = true
	}
	l.open[method]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.open[method]--
	}
}

func (l *callLog) writtenKeys() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.keys))
}

// abandon stops all further calls and says which have not returned.
func (l *callLog) abandon() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.abandoned = true
	var methods []string
	for method, n := range l.open {
		if n > 0 {
			methods = append(methods, method)
		}
	}
	if len(methods) == 0 {
		return "the case does not end"
	}
	slices.Sort(methods)
	return strings.Join(methods, " and ") + " has not returned"
}
