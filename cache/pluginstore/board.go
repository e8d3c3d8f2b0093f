package pluginstore

import (
	"log/slog"
	"sync"
	"time"
)

// board has what the supervisor knows of its plugin, for others to read.
type board struct {
	log      *slog.Logger
	onChange func(Status)

	mu         sync.Mutex
	status     Status   // without what the route knows
	unread     []Status // for onChange
	delivering bool
}

func (b *board) read() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

// starting tells that a process is being started. The first is generation 1.
func (b *board) starting() {
	b.change(func(s *Status) {
		if s.Generation++; s.Generation > 1 {
			s.State = Degraded
			s.Restarts++
		}
	})
}

// replacing tells that another process is to take over, and whether the store
// is served by its plugin meanwhile.
func (b *board) replacing(served bool) {
	b.change(func(s *Status) {
		s.Generation++
		if !served {
			s.State = Degraded
		}
	})
}

// waiting tells that no process serves still, and whether another will be
// started.
func (b *board) waiting(again bool) {
	b.change(func(s *Status) {
		s.State = Degraded
		if !again {
			s.State = Failed
		}
	})
}

// ready tells that p serves.
func (b *board) ready(p plug) {
	b.change(func(s *Status) { s.State = Ready; s.PID = p.pid() })
	if p.pid() == 0 {
		return // in this process, or another person's
	}
	b.log.Info("plugin is ready", "pid", p.pid(), "version", p.info().Version)
}

// failed tells that no process serves, and whether another will be started.
func (b *board) failed(cause error, again bool) {
	b.change(func(s *Status) {
		s.State, s.PID, s.Err = Degraded, 0, cause
		if !again {
			s.State = Failed
		}
	})
	if again {
		b.log.Warn("the plugin does not serve and will be started again", "error", cause)
	} else {
		b.log.Error("the plugin failed too often and is not started again until it is reset", "error", cause)
	}
}

// change makes a change and tells onChange of it, which may take its time and
// use the store.
func (b *board) change(do func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.status
	do(&b.status)
	if b.status.State == old.State && b.status.Generation == old.Generation {
		return
	}
	if b.status.State != old.State || old.Since.IsZero() {
		b.status.Since = time.Now()
	}
	if b.onChange == nil {
		return
	}
	b.unread = append(b.unread, b.status)
	if !b.delivering {
		b.delivering = true
		go b.deliver()
	}
}

func (b *board) deliver() {
	for {
		b.mu.Lock()
		if len(b.unread) == 0 {
			b.delivering = false
			b.mu.Unlock()
			return
		}
		next := b.unread[0]
		b.unread = b.unread[1:]
		b.mu.Unlock()
		b.onChange(next)
	}
}
