package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// How the health of a plugin is watched. A process that exits is noticed at
// once, whatever its health was.
const (
	healthInterval = 5 * time.Second
	healthTimeout  = time.Second // of one check
	healthMisses   = 3           // in a row are death
	// suspicion is the interval while calls get no answer in time.
	suspicion = time.Second
)

// supervisor keeps one process of a plugin alive: it starts it, watches it,
// and starts another when it has died. It knows nothing of calls.
type supervisor struct {
	// launch starts a process of the plugin.
	launch func(context.Context) (plug, error)
	// serve lets calls go to the process, after telling it what it missed.
	serve func(context.Context, plug) error
	// leave makes sure that no call goes to the process any more.
	leave func(p plug, cause error)
	// down is told why no process serves, and whether another will be started.
	down func(cause error, again bool)

	// hung says why a process that is well is to be ended all the same; nil: it
	// is not.
	hung func(p plug) error
	// silence is how long a process that answers calls may miss health checks.
	silence time.Duration

	breaker breaker
	board   *board
	log     *slog.Logger

	mu      sync.Mutex
	healthy chan struct{} // closed at the next check that finds the process well; nil: nobody waits

	suspected chan struct{}
	resets    chan struct{}
	handovers chan handover
	ended     chan struct{} // closed when nothing is supervised any more
}

// handover is a request to let another process take over. It is given the one
// that serves, or nil, and returns the one that serves from then on, or nil and
// why none does.
type handover struct {
	do   func(context.Context, plug) (plug, error)
	done chan struct{}
}

func newSupervisor(r Restart, b *board, log *slog.Logger) *supervisor {
	return &supervisor{
		hung:    func(plug) error { return nil },
		silence: DefaultSilence,
		breaker: breaker{Restart: r}, board: b, log: log,
		suspected: make(chan struct{}, 1),
		resets:    make(chan struct{}, 1),
		handovers: make(chan handover),
		ended:     make(chan struct{}),
	}
}

// suspect tells that a call got no answer in time.
func (s *supervisor) suspect() { poke(s.suspected) }

// well returns a channel that is closed at the next check that finds the process
// well.
func (s *supervisor) well() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.healthy == nil {
		s.healthy = make(chan struct{})
	}
	return s.healthy
}

func (s *supervisor) isWell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.healthy != nil {
		close(s.healthy)
		s.healthy = nil
	}
}

// reset lets a plugin that failed too often be started again, and one that
// waits to be started be so now.
func (s *supervisor) reset() { poke(s.resets) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause is how long a plugin that failed is left alone; it is for good, but for
// a reset, if it is not to be started again.
type pause struct {
	delay time.Duration
	again bool
}

// run supervises until ctx ends, after what tell returned of p. It returns the
// process that serves at the end, or nil.
func (s *supervisor) run(ctx context.Context, p plug, rest pause) plug {
	for {
		var cause error
		var wasReady time.Duration
		if p != nil {
			since := time.Now()
			p, cause = s.tend(ctx, p)
			wasReady = time.Since(since)
		} else {
			p, cause = s.recover(ctx, rest)
		}
		if ctx.Err() != nil {
			return p
		}
		rest = s.tell(p, cause, wasReady)
	}
}

// tell tells that p serves from now on, or, if p is nil, that none does and
// why, after one that did for a time.
func (s *supervisor) tell(p plug, cause error, wasReady time.Duration) pause {
	if p != nil {
		select {
		case <-s.resets: // it was for a failure that is over
		default:
		}
		s.board.ready(p)
		return pause{}
	}
	delay, again := s.breaker.failed(time.Now(), wasReady)
	s.board.failed(cause, again)
	s.down(cause, again)
	return pause{delay, again}
}

// tend watches a process that serves. It returns when another serves, when
// none does and why, or when ctx ends.
func (s *supervisor) tend(ctx context.Context, p plug) (plug, error) {
	watch, stop := context.WithCancel(ctx)
	defer stop()
	sick := make(chan error, 1)
	go func() { sick <- s.watchHealth(watch, p) }()
	var cause error
	select {
	case <-ctx.Done():
		<-sick
		return p, nil
	case <-p.died():
	case cause = <-sick:
	case h := <-s.handovers:
		stop()
		<-sick
		return s.handOver(ctx, p, h)
	}
	if cause == nil && ctx.Err() != nil && !isDead(p) {
		return p, nil // it is well; what ended first is supervision
	}
	why := cause
	if why == nil {
		why = fmt.Errorf("%w: the plugin %s has died", cache.ErrUnavailable, p.info().Name)
	}
	s.leave(p, why)
	p.abort()
	if cause == nil {
		cause = p.cause()
	}
	return nil, cause
}

// watchHealth returns when the process is to be taken for dead, or ctx ends.
func (s *supervisor) watchHealth(ctx context.Context, p plug) error {
	timer := time.NewTimer(healthInterval)
	defer timer.Stop()
	lastWell := time.Now()
	for misses := 0; ; {
		suspected := s.suspected
		if misses > 0 {
			suspected = nil // the next check is at hand, and misses are a second apart
		}
		select {
		case <-ctx.Done():
			return nil
		case <-p.died():
			return nil
		case <-timer.C:
		case <-suspected:
		}
		interval, moved := healthInterval, p.moved()
		err := p.check(ctx, healthTimeout)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			misses, lastWell = 0, time.Now()
			s.isWell()
			if err = s.hung(p); err != nil {
				return err
			}
		case errors.Is(err, shared.ErrNoAnswer) && p.moved() != moved && time.Since(lastWell) < s.silence:
			// It is busy: it answered calls meanwhile.
			interval = suspicion
		default:
			s.log.Warn("the plugin is not well", "misses", misses+1, "error", err)
			if misses++; misses == healthMisses {
				return err
			}
			interval = suspicion
		}
		timer.Reset(interval)
	}
}

// recover waits, and starts the plugin once. It returns the process that
// serves, or why none does.
func (s *supervisor) recover(ctx context.Context, rest pause) (plug, error) {
	timer := time.NewTimer(rest.delay)
	defer timer.Stop()
	if !rest.again {
		timer.Stop()
	}
	for waiting := true; waiting; {
		select {
		case <-ctx.Done():
			return nil, nil
		case <-timer.C:
			waiting = false
		case <-s.resets:
			s.breaker.reset()
			waiting = false
		case h := <-s.handovers:
			if p, _ := s.handOver(ctx, nil, h); p != nil {
				return p, nil
			}
			// That was another program's failure, not this one's.
			s.board.waiting(rest.again)
		}
	}
	p, err := s.launch(ctx)
	if err != nil {
		return nil, err
	}
	if err = s.begin(ctx, p); err != nil {
		p.abort()
		return nil, err
	}
	return p, nil
}

// begin is serve for a process whose health is watched meanwhile: what it missed
// may take it as long as it likes, while it is well.
func (s *supervisor) begin(ctx context.Context, p plug) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if err := s.watchHealth(watch, p); err != nil {
			cancel(err)
		}
	}()
	err := s.serve(ctx, p)
	stop()
	<-watched
	if cause := context.Cause(ctx); err != nil && cause != nil && ctx.Err() != nil {
		return cause
	}
	return err
}

func (s *supervisor) handOver(ctx context.Context, p plug, h handover) (plug, error) {
	defer close(h.done)
	p, err := h.do(ctx, p)
	if err == nil {
		s.breaker.reset()
	}
	return p, err
}
