//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// control is the driver's end of the socket by which the plugin takes orders;
// see mischief. The store's own calls have no part in it, so an order arrives
// whatever state they are in.
type control struct {
	listener net.Listener
	accepts  sync.WaitGroup

	mu      sync.Mutex
	starts  []string // how the next processes are to start
	plugins map[string]*orders
}

// orders is the way to one process.
type orders struct {
	conn    net.Conn
	answers chan string // closed when the process is gone
}

func listen(socket string) (*control, error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	c := &control{listener: l, plugins: make(map[string]*orders)}
	c.accepts.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.accepts.Go(func() { c.serve(conn) })
		}
	})
	return c, nil
}

func (c *control) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewScanner(conn)
	if !in.Scan() {
		return
	}
	pid, start := in.Text(), "go"
	o := &orders{conn: conn, answers: make(chan string, 1)}
	defer close(o.answers)
	c.mu.Lock()
	if len(c.starts) > 0 {
		start, c.starts = c.starts[0], c.starts[1:]
	}
	c.plugins[pid] = o
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.plugins, pid)
		c.mu.Unlock()
	}()
	if _, err := fmt.Fprintln(conn, start); err != nil {
		return
	}
	for in.Scan() {
		select {
		case o.answers <- in.Text():
		default: // the answer to an order that was given up
		}
	}
}

// onStart says how the next processes are to start, one word for each.
func (c *control) onStart(how ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.starts = append(c.starts, how...)
}

// startsLeft is how many of those have not started yet.
func (c *control) startsLeft() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.starts)
}

var errNoAnswer = errors.New("the plugin takes no orders")

// order gives the process an order and returns its answer, which those that
// end or stop the process do not have.
func (c *control) order(ctx context.Context, pid int, words ...any) (string, error) {
	c.mu.Lock()
	o := c.plugins[decimal(int64(pid))]
	c.mu.Unlock()
	if o == nil {
		return "", errNoAnswer
	}
	select {
	case <-o.answers: // of an order that was given up
	default:
	}
	if _, err := fmt.Fprintln(o.conn, words...); err != nil {
		return "", errNoAnswer
	}
	switch words[0] {
	case "crash", "stop", "sever", "garble":
		return "", nil
	}
	timer := time.NewTimer(2 * time.Second)
	defer timer.Stop()
	select {
	case answer, ok := <-o.answers:
		// Where the next call is the end of the process, that may come first.
		if ok || words[0] == "crash-before" || words[0] == "crash-after" {
			return answer, nil
		}
	case <-timer.C:
	case <-ctx.Done():
	}
	return "", errNoAnswer
}

func (c *control) close() {
	_ = c.listener.Close()
	c.mu.Lock()
	for _, o := range c.plugins {
		_ = o.conn.Close()
	}
	c.mu.Unlock()
	c.accepts.Wait()
}
