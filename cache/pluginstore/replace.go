package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// Replace lets another program, or another version of the same, take over: the
// one at path, or if path is empty the one that is now found under the store's
// URL. No call fails meanwhile for want of a plugin; what memory cannot do
// waits. The new program must be trusted, start and be described before the old
// one is touched. Of a shared store it must serve as well; of an exclusive one
// the old process is flushed and ended first, and the fallback bridges the gap.
// If the new one does not come to serve well, the old program does again, and
// the error says why. Keys in quarantine are tried again with the new program.
//
// A plugin that failed too often is started again with the new program. If that
// does not come to serve either, all is as before.
func (s *Store) Replace(ctx context.Context, path string) error {
	if s.cancel == nil {
		return fmt.Errorf("pluginstore: %s has no process of this host's: %w", s.URL(), errors.ErrUnsupported)
	}
	prog, err := s.find(path)
	if err != nil {
		return err
	}
	var failed error
	h := handover{done: make(chan struct{}), do: func(life context.Context, old plug) (plug, error) {
		var next plug
		next, failed = s.handOver(ctx, life, old, prog)
		return next, failed
	}}
	select {
	case s.supervisor.handovers <- h:
		<-h.done
	case <-s.supervisor.ended:
		failed = cache.ErrClosed
	case <-ctx.Done():
		failed = ctx.Err()
	}
	if failed != nil {
		_ = prog.Close()
		return failed
	}
	s.quarantine.expire()
	s.supervisor.suspect()
	return nil
}

func (s *Store) find(path string) (*program, error) {
	if path == "" {
		return openProgram(s.url, s.o)
	}
	return openProgramAt(path, s.o)
}

// handOver lets prog take over from old, which may be nil. It returns what
// serves afterwards, nil if nothing does, and why that is not prog. asked ends
// if nobody wants it any more, life if the store is closed.
func (s *Store) handOver(asked, life context.Context, old plug, prog *program) (plug, error) {
	starting, cancel := context.WithCancelCause(life)
	defer cancel(nil)
	stop := context.AfterFunc(asked, func() { cancel(context.Cause(asked)) })
	in, err := begin(starting, prog, s.o)
	// From here on it is brought to an end: half of it would be a failure.
	stop()
	if err != nil {
		return old, fmt.Errorf("pluginstore: not replaced: %w", err)
	}
	takeOver := s.inTurn
	together := old != nil && !old.info().Exclusive && !in.info().Exclusive
	if together {
		takeOver = s.sideBySide
	}
	s.board.replacing(together)
	serving, err := takeOver(life, old, in)
	if err != nil {
		in.abort()
		return serving, fmt.Errorf("pluginstore: not replaced: %w", err)
	}
	_ = s.program.Swap(prog).Close()
	return in, nil
}

// sideBySide is the handover of a store that both processes may use at once.
func (s *Store) sideBySide(life context.Context, old plug, in *instance) (plug, error) {
	if err := s.openWell(life, in); err != nil {
		return old, err
	}
	before := s.route.Load()
	if err := s.serve(life, in); err != nil {
		return old, err
	}
	if before.plug == old {
		before.inFlight.close()
		drain(before.inFlight)
	}
	s.dismiss(old)
	return in, nil
}

// inTurn is the handover of a store that one process at a time may use.
func (s *Store) inTurn(life context.Context, old plug, in *instance) (plug, error) {
	if old != nil {
		r := s.route.Load()
		why := fmt.Errorf("%w: the plugin %s is being replaced", cache.ErrUnavailable, old.info().Name)
		if r.plug == old && s.leave(r, &route{planned: true, err: why}) {
			drain(r.inFlight)
		}
		s.dismiss(old)
	}
	err := s.openWell(life, in)
	if err == nil {
		if err = s.supervisor.begin(life, in); err == nil {
			return in, nil
		}
	}
	if old == nil {
		return nil, err
	}
	// The old process is gone; its program serves once more.
	in.abort()
	s.board.replacing(false)
	back, again := s.start(life, s.program.Load())
	if again == nil {
		if again = s.supervisor.begin(life, back); again == nil {
			return back, err
		}
		back.abort()
	}
	return nil, fmt.Errorf("%w; the old program does not serve again either: %w", err, again)
}

// openWell opens the store of a process and sees that it is well.
func (s *Store) openWell(ctx context.Context, in *instance) error {
	if err := s.configure(ctx, in); err != nil {
		return err
	}
	return in.check(ctx, healthTimeout)
}

// drainTimeout is how long the calls in flight may take to end before the
// process that they went to is ended.
const drainTimeout = 5 * time.Second

func drain(calls *inFlight) {
	timer := time.NewTimer(drainTimeout)
	defer timer.Stop()
	select {
	case <-calls.drained():
	case <-timer.C:
	}
}

// dismiss ends a process that has been replaced.
func (s *Store) dismiss(old plug) {
	if err := old.stop(); err != nil {
		s.board.log.Warn("the plugin that was replaced did not end well", "error", err)
	}
}
