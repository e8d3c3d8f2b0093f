package pluginstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/harpia-go/harpia/shared"
)

const (
	// slowTelling is how long the plugin is waited for before the next batch is
	// told beside the one that it has not answered, and mostSlow how many such
	// there are at most.
	slowTelling = 2 * time.Second
	mostSlow    = 16
	// glance is how often a teller that only waits looks for what is new.
	glance = 50 * time.Millisecond
)

// teller tells the plugin what is in a bridge, batch by batch. One that takes long
// is set aside: the others go on, and in the end the plugin serves without it.
type teller struct {
	bridge *bridge
	send   func([]keyWrite) error
	slow   []*telling // set aside and not answered, oldest first
}

// telling is a batch that the plugin has been sent.
type telling struct {
	batch []keyWrite
	since time.Time
	done  chan struct{}
	err   error // when it is done
}

// tell sends a batch, and reports whether the plugin has answered it. What was set
// aside and has been answered meanwhile is told.
func (t *teller) tell(ctx context.Context, batch []keyWrite) (bool, error) {
	if err := t.collect(ctx, len(batch) == 0); err != nil || len(batch) == 0 {
		return true, err
	}
	now := &telling{batch: batch, since: time.Now(), done: make(chan struct{})}
	go func() {
		defer close(now.done)
		now.err = t.send(batch)
	}()
	timer := time.NewTimer(slowTelling)
	defer timer.Stop()
	select {
	case <-now.done:
		return true, now.err
	case <-timer.C:
	case <-ctx.Done():
	}
	t.slow = append(t.slow, now)
	t.bridge.setAside(batch, now.since)
	return false, ctx.Err()
}

// collect takes what has been answered for told. If there is nothing to tell, or too
// much is set aside, it waits for a moment, or until something is answered.
func (t *teller) collect(ctx context.Context, idle bool) error {
	for {
		if len(t.slow) > 0 && (idle || len(t.slow) >= mostSlow) {
			timer := time.NewTimer(glance)
			select {
			case <-t.slow[0].done:
			case <-timer.C:
			case <-ctx.Done():
			}
			timer.Stop()
		}
		for _, s := range t.slow {
			select {
			case <-s.done:
				if s.err != nil {
					return s.err
				}
				t.bridge.answered(s.batch)
			default:
			}
		}
		t.slow = slices.DeleteFunc(t.slow, func(s *telling) bool { return isClosed(s.done) })
		if err := ctx.Err(); err != nil || len(t.slow) < mostSlow {
			return err
		}
	}
}

// patient reports whether what is set aside is still to be waited for.
func (t *teller) patient() bool {
	return len(t.slow) > 0 && (t.bridge.quarantine == nil || time.Since(t.slow[0].since) < t.bridge.quarantine.silence)
}

// await returns once nothing is being sent any more, which is soon if it is in vain.
func (t *teller) await() {
	for _, s := range t.slow {
		<-s.done
	}
}

// handOver leaves what is set aside to the quarantine, and calls then when all of it
// has been answered.
func (t *teller) handOver(then func()) {
	if len(t.slow) == 0 {
		then()
		return
	}
	q := t.bridge.quarantine
	q.running.Go(func() {
		defer then()
		for _, s := range t.slow {
			<-s.done
			if !errors.Is(s.err, shared.ErrBroken) {
				q.answered(s.batch, s.err)
			} // else the next process is told of it
		}
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
