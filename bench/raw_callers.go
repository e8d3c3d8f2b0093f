package main

import (
	"bufio"
	"context"
	"net"
	"runtime"
	"sync"
	"time"
)

// rawLink shares one connection among callers that each wait for their answer,
// as the callers of a store do, and does nothing else: it checks nothing,
// allocates nothing, and a call can not be given up.
type rawLink struct {
	conn net.Conn

	mu      sync.Mutex
	out     []byte          // requests that the next write takes along
	spare   []byte          // the buffer of the write before
	writing bool            // some caller writes, or is about to
	waiting []chan struct{} // the callers whose answers are due, in order
	err     error
}

// pipelined is the limit for small values: one connection, one write for all
// requests that are there, one read for all answers.
func (p *rawPeer) pipelined(ctx context.Context, callers int, d time.Duration) (sample, error) {
	conn, err := p.dial()
	if err != nil {
		return sample{}, err
	}
	l := &rawLink{conn: conn}
	var reader sync.WaitGroup
	reader.Go(l.read)
	defer reader.Wait()
	defer conn.Close()
	wake := make([]chan struct{}, callers)
	for i := range wake {
		wake[i] = make(chan struct{}, 1)
	}
	return load{op: func(caller, i int) error {
		request := p.get
		if isSet(caller, i) {
			request = p.set
		}
		return l.call(request, wake[caller])
	}}.run(ctx, callers, d)
}

// call sends a request and waits for its answer. Whoever finds nobody writing
// writes, after all callers that can run have had the time to join.
func (l *rawLink) call(request []byte, wake chan struct{}) error {
	l.mu.Lock()
	l.out = append(l.out, request...)
	l.waiting = append(l.waiting, wake)
	err := l.err
	if lead := err == nil && !l.writing; lead {
		l.writing = true
		l.mu.Unlock()
		runtime.Gosched()
		l.mu.Lock()
		for len(l.out) > 0 && l.err == nil {
			batch := l.out
			l.out = l.spare[:0]
			l.mu.Unlock()
			_, err := l.conn.Write(batch)
			l.mu.Lock()
			l.spare = batch
			l.fail(err)
		}
		l.writing = false
		err = l.err
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	<-wake
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// read wakes the caller of each answer.
func (l *rawLink) read() {
	in := bufio.NewReaderSize(l.conn, 64<<10)
	var due []chan struct{}
	for {
		answers := 0
		for answers == 0 || in.Buffered() >= 4 {
			if _, err := readRaw(in); err != nil {
				l.mu.Lock()
				l.fail(err)
				l.mu.Unlock()
				return
			}
			answers++
		}
		l.mu.Lock()
		due = append(due[:0], l.waiting[:answers]...)
		l.waiting = l.waiting[:copy(l.waiting, l.waiting[answers:])]
		l.mu.Unlock()
		for _, wake := range due {
			wake <- struct{}{}
		}
	}
}

// fail, with l.mu held, ends all calls if there is an error.
func (l *rawLink) fail(err error) {
	if err == nil || l.err != nil {
		return
	}
	l.err = err
	for _, wake := range l.waiting {
		select {
		case wake <- struct{}{}:
		default: // it has its answer
		}
	}
}
