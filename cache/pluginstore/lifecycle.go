package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

func newStore(u URL, o *Options) *Store {
	log := o.Logger.With("store", u.String())
	s := &Store{url: u, o: o, board: &board{log: log, onChange: o.OnChange}, last: make(chan plug, 1)}
	s.supervisor = newSupervisor(o.Restart, s.board, log)
	s.quarantine = newQuarantine(o.Restart.Within, o.Silence, log)
	s.supervisor.launch = s.launch
	s.supervisor.serve = s.serve
	s.supervisor.leave = func(p plug, cause error) {
		if r := s.route.Load(); r.plug == p {
			if isDead(p) && s.fallback() != FallbackMemory {
				cause = p.cause() // which callers are told; memory would not wait
			}
			s.fail(r, cause)
		}
	}
	s.supervisor.down = s.down
	s.supervisor.hung = s.hung
	s.supervisor.silence = o.Silence
	return s
}

// hung has what is overdue tried again, and says that a call to p has gone without an answer for too long; nil: none
// has.
func (s *Store) hung(p plug) error {
	r := s.route.Load()
	if r.plug != p || r.inFlight == nil {
		return nil
	}
	s.tryAgain(r)
	since := s.quarantine.slowest()
	if k := r.inFlight.fences.oldest(); k != nil && (since.IsZero() || k.since.Before(since)) {
		since = k.since
	}
	if since.IsZero() || time.Since(since) < s.o.Hang {
		return nil
	}
	return fmt.Errorf("%w: the plugin %s has not answered a call for more than %v", cache.ErrUnavailable, p.info().Name, s.o.Hang)
}

// launch starts a process of the plugin and opens its store.
func (s *Store) launch(ctx context.Context) (plug, error) {
	s.board.starting()
	return s.start(ctx, s.program.Load())
}

func (s *Store) start(ctx context.Context, prog *program) (plug, error) {
	in, err := begin(ctx, prog, s.o)
	if err != nil {
		return nil, err
	}
	if err := s.configure(ctx, in); err != nil {
		in.abort()
		return nil, err
	}
	return in, nil
}

// configure opens the store of a process.
func (s *Store) configure(ctx context.Context, in *instance) error {
	err := in.configure(ctx, s.url, s.o)
	s.secrets.Store(in.proc.secrets.Load())
	return err
}

// mayRecover reports whether a plugin whose start failed with err may start
// another time, with nothing but time having passed.
func mayRecover(ctx context.Context, err error) bool {
	for _, forGood := range []error{ErrURL, ErrNotFound, ErrUntrusted, shared.ErrSetting} {
		if errors.Is(err, forGood) {
			return false
		}
	}
	return ctx.Err() == nil
}

// supervise keeps the plugin alive from now on. p serves; if it is nil, cause
// is why it does not.
func (s *Store) supervise(ctx context.Context, p plug, cause error) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.life = ctx
	rest := s.supervisor.tell(p, cause, 0)
	go func() {
		s.last <- s.supervisor.run(ctx, p, rest)
		close(s.supervisor.ended)
	}()
}

// Close flushes the store and ends its plugin. Nothing of the plugin is left
// when it returns. If the plugin is down and there is something that it was not
// told yet, it is started once more for that; an error says if it could not be.
func (s *Store) Close() error {
	s.closing.Do(func() { s.err = s.close() })
	return s.err
}

func (s *Store) close() error {
	var p plug
	if s.cancel != nil {
		s.cancel()
		p = <-s.last
	}
	s.closed.Store(true)
	s.mu.Lock()
	old := s.route.Load()
	s.swap(&route{err: cache.ErrClosed})
	s.mu.Unlock()
	if s.cancel == nil {
		return old.plug.stop()
	}
	if p != nil && old.plug != p {
		// It was found to be dead, and supervision ended before it noticed.
		p.abort()
		p = nil
	}
	var err, left error
	untold := 0
	if b := old.bridge; b != nil {
		// From here on no write is acknowledged that the plugin is not told.
		b.seal()
		if b.size() != (JournalSize{}) {
			if p, left = s.lastChance(b); left != nil {
				untold = b.size().Entries
			}
		}
		b.end()
	}
	if p != nil {
		err = p.stop()
	}
	s.quarantine.running.Wait()
	if n := s.quarantine.due(); n > 0 {
		untold += n
		left = errors.Join(left, ErrQuarantined)
	}
	switch kept := s.spool.close(); {
	case left == nil:
	case kept:
		s.board.log.Warn("the plugin could not be told all that was written while it was down: it is told when the store is opened next", "file", s.spool.file.Path(), "error", left)
	default:
		err = errors.Join(err, fmt.Errorf("pluginstore: what was written to %d keys while the plugin was down is lost: %w", untold, left))
	}
	return errors.Join(err, s.program.Load().Close())
}

// lastChance starts the plugin to tell it what it was not told yet.
func (s *Store) lastChance(b *bridge) (plug, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.o.StartTimeout+flushTimeout)
	defer cancel()
	p, err := s.launch(ctx)
	if err == nil {
		if err = b.replay(ctx, p.patient(), p.info().Exclusive, func() {}); err == nil {
			return p, nil
		}
		s.diedTelling(ctx, p, err, b.underWay())
		p.abort()
	}
	return nil, s.secrets.Load().hideError(err)
}
