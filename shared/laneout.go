package shared

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

// outbox writes frames to a connection. Whoever adds one when nobody writes,
// writes, and what others add meanwhile goes with the next write: a busy lane
// makes few system calls, and needs no goroutine to make them.
type outbox struct {
	conn net.Conn
	// broken is told, once and with mu held, why nothing more can be written.
	broken func(error)
	// wrote, if it is not nil, is called when so many bytes of large values were
	// written. What a broken connection keeps back is not counted.
	wrote func(bytes int)

	mu      sync.Mutex
	queue   frameQueue
	spare   []byte // what the queue's buffer takes turns with
	writing bool
	err     error         // why nothing more can be written
	space   chan struct{} // not nil: somebody waits for the queue to be taken; closed then
	until   time.Time     // deadline of writes; of who writes
}

const (
	// outboxBound is how many bytes are queued before those who add more wait.
	outboxBound = 4 << 20
	// outboxRounds is how many writes one caller makes for others.
	outboxRounds = 8
	// outboxTick is how long a caller waits at least for the other side to take
	// what it writes; a goroutine goes on after twice that at most.
	outboxTick = 20 * time.Millisecond
)

// add has frame queue something, with o.mu held. A caller that is told so
// writes, by calling write. add waits while too much is queued, and tells frame
// how long: as long as limit, which is errLate, or until the end of ctx. After
// an error nothing was queued.
func (o *outbox) add(ctx context.Context, limit time.Duration, frame func(q *frameQueue, waited time.Duration)) (writes bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var begun time.Time
	var late <-chan time.Time
	for o.queue.size() > outboxBound && o.err == nil {
		if late == nil {
			begun, late = time.Now(), time.After(limit)
		}
		if err := o.await(ctx, late); err != nil {
			return false, err
		}
	}
	if o.err != nil {
		return false, o.err
	}
	waited := time.Duration(0)
	if late != nil {
		waited = time.Since(begun)
	}
	frame(&o.queue, waited)
	writes = !o.writing
	o.writing = true
	return writes, nil
}

// await waits until the queue has been taken; o.mu is held before and after.
func (o *outbox) await(ctx context.Context, late <-chan time.Time) error {
	if o.space == nil {
		o.space = make(chan struct{})
	}
	space := o.space
	o.mu.Unlock()
	defer o.mu.Lock()
	select {
	case <-space:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-late:
		return errLate
	}
}

// take returns what is queued; o.mu is held.
func (o *outbox) take() frameQueue {
	q := o.queue
	o.queue, o.spare = frameQueue{small: o.spare[:0]}, nil
	if o.space != nil {
		close(o.space)
		o.space = nil
	}
	return q
}

// write writes what is queued, for some rounds. A goroutine of its own writes
// what comes after that, or is not taken at once.
func (o *outbox) write() {
	// Others that are about to add something may join the first write.
	runtime.Gosched()
	for round := 1; ; round++ {
		o.mu.Lock()
		if o.queue.size() == 0 || o.err != nil {
			o.writing = false
			o.mu.Unlock()
			return
		}
		q := o.take()
		o.mu.Unlock()
		if now := time.Now(); o.until.Sub(now) < outboxTick {
			o.until = now.Add(2 * outboxTick)
			_ = o.conn.SetWriteDeadline(o.until)
		}
		rest, err := q.writeTo(o.conn)
		if err == nil {
			o.written(q.bytes)
			q.bytes = 0
		}
		switch {
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			o.fail(err)
		case err != nil || round == outboxRounds:
			go o.writeOn(rest, q.bytes)
			return
		case cap(q.small) <= outboxBound:
			o.mu.Lock()
			o.spare = q.small
			o.mu.Unlock()
		}
	}
}

// writeOn writes rest, and then what is queued, until nothing is. It blocks while
// the other side takes nothing.
func (o *outbox) writeOn(rest net.Buffers, bytes int) {
	// The other side may take nothing for as long as it likes: whether its
	// process is dead is for its supervisor to say, who closes the connection.
	o.until = time.Time{}
	_ = o.conn.SetWriteDeadline(o.until)
	for {
		if _, err := rest.WriteTo(o.conn); err != nil {
			o.fail(err)
		} else {
			o.written(bytes)
		}
		o.mu.Lock()
		if o.queue.size() == 0 || o.err != nil {
			o.writing = false
			o.mu.Unlock()
			return
		}
		q := o.take()
		o.mu.Unlock()
		rest, bytes = q.buffers(), q.bytes
	}
}

func (o *outbox) written(bytes int) {
	if bytes > 0 && o.wrote != nil {
		o.wrote(bytes)
	}
}

// fail lets nothing more be written.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.breakDown(err)
}

// breakDown is fail where o.mu is held.
func (o *outbox) breakDown(err error) {
	if o.err != nil {
		return
	}
	o.err = err
	if o.space != nil {
		close(o.space)
		o.space = nil
	}
	o.broken(err)
}
