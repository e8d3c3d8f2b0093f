//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// mischief is what a plugin was ordered to do wrong. Orders are lines at a
// socket of the driver's, which the store's own calls have no part in:
//
//	crash                 panic now
//	crash-before N        die in the Nth call from now, before it is done
//	crash-after N         die in the Nth call from now, once it is done
//	hang N, hang-after N  never answer the Nth call from now
//	mute N                do the next N writes and never answer them
//	deadlock              answer no call any more
//	freeze                nor the health check
//	sick                  answer the health check with NOT_SERVING
//	slow MS N             answer the next N calls late
//	garbage KIND N        spoil the next N answers; see spoil
//	stop                  SIGSTOP
//	sever, garble         shut the connections to the host, or write noise to them
//	leak                  memory, goroutines and descriptors
//	fork, escape          start a child that holds the pipes; in a session of its own
//	shout                 print a line of 1 MiB on both outputs
//	refuse                do not end when asked to
//	calm                  forget what was ordered and has not happened yet
//
// Each is answered with a line when it is in force: "done", or for escape the
// child's process, and for calm how many calls were done wrong.
type mischief struct {
	stderr  *os.File
	refuses atomic.Bool

	mu      sync.Mutex
	now     turn   // of every call
	after   int    // calls until next is due; 0: now is in force at once
	pending string // what is due then
	left    int    // calls for which now stays in force; 0: for all
	mute    int    // writes to come that are not to be answered
	wrong   int    // calls that were done wrong
	sick    bool
	frozen  bool
	control net.Conn
	leaked  [][]byte
}

// turn is what one call does wrong.
type turn struct {
	what   string
	detail string
	delay  time.Duration
}

const storeService = "/harpia.store.v1.Store/"

// isStoreCall leaves out what comes before the store is open.
func isStoreCall(method string) bool {
	name, ok := strings.CutPrefix(method, storeService)
	return ok && name != "Describe" && name != "Configure"
}

// isWrite tells the calls that write whatever is there.
func isWrite(method string) bool {
	switch strings.TrimPrefix(method, storeService) {
	case "Set", "Delete", "SetMany", "DeleteMany":
		return true
	}
	return false
}

// report tells the driver that this process is there, and returns how it is to
// start. From then on it takes orders.
func (m *mischief) report(socket string) (start string, err error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return "", fmt.Errorf("nobody gives orders: %w", err)
	}
	in := bufio.NewReader(conn)
	if _, err := fmt.Fprintln(conn, os.Getpid()); err != nil {
		return "", err
	}
	if start, err = in.ReadString('\n'); err != nil {
		return "", fmt.Errorf("nobody gives orders: %w", err)
	}
	m.control = conn
	go func() {
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if _, err := fmt.Fprintln(conn, m.obey(strings.Fields(line))); err != nil {
				return
			}
		}
	}()
	return strings.TrimSpace(start), nil
}

// obey takes an order and returns the answer.
func (m *mischief) obey(order []string) string {
	argument := func(i int) int {
		if len(order) <= i {
			return 0
		}
		n, _ := strconv.Atoi(order[i])
		return n
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch what := order[0]; what {
	case "crash":
		go panic("ordered to crash")
	case "crash-before", "crash-after", "hang", "hang-after":
		m.pending, m.after = what, max(argument(1), 1)
	case "mute":
		m.mute = max(argument(1), 1)
	case "deadlock":
		m.now, m.left = turn{what: what}, 0
	case "freeze":
		m.now, m.left, m.frozen = turn{what: "deadlock"}, 0, true
	case "sick":
		m.sick = true
	case "slow":
		m.now, m.left = turn{what: what, delay: time.Duration(argument(1)) * time.Millisecond}, argument(2)
	case "garbage":
		m.now, m.left = turn{what: what, detail: order[1]}, argument(2)
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "sever", "garble":
		return breakConnections(m.control, what == "garble")
	case "leak":
		m.leak()
	case "fork", "escape":
		return startChild(what == "escape")
	case "shout":
		return shout()
	case "refuse":
		m.refuses.Store(true)
	case "calm":
		m.now, m.left, m.pending, m.after, m.mute, m.sick, m.frozen = turn{}, 0, "", 0, 0, false, false
		return fmt.Sprintf("%d calls were done wrong", m.wrong)
	default:
		return "what is " + what + "?"
	}
	return "done"
}

// turn says what the call of a method does wrong.
func (m *mischief) turn(method string) turn {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mute > 0 && isWrite(method) {
		m.mute--
		m.wrong++
		return turn{what: "hang-after"}
	}
	if m.after > 0 {
		if m.after--; m.after == 0 {
			m.wrong++
			return turn{what: m.pending}
		}
	}
	t := m.now
	if t.what != "" {
		m.wrong++
	}
	if m.left > 0 {
		if m.left--; m.left == 0 {
			m.now = turn{}
		}
	}
	return t
}

// health answers what is not the store's.
func (m *mischief) health(ctx context.Context, req any, call *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	m.mu.Lock()
	sick, frozen := m.sick, m.frozen
	m.mu.Unlock()
	if call.FullMethod == healthpb.Health_Check_FullMethodName {
		if frozen {
			select {}
		}
		if sick {
			return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_NOT_SERVING}, nil
		}
	}
	return next(ctx, req)
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// leak takes modestly of everything that a process can run out of.
func (m *mischief) leak() {
	m.leaked = append(m.leaked, make([]byte, 8<<20))
	for i := range m.leaked[len(m.leaked)-1] {
		m.leaked[len(m.leaked)-1][i] = 1
	}
	for range 100 {
		go func() { select {} }()
		_, _ = syscall.Dup(int(os.Stdin.Fd()))
	}
}

// startChild leaves a child behind that holds the pipes to the host.
func startChild(escape bool) string {
	child := exec.Command("sleep", "3600")
	var pipes [3]*os.File
	for i := range pipes {
		fd, err := syscall.Dup(i)
		if err != nil {
			return err.Error()
		}
		pipes[i] = os.NewFile(uintptr(fd), "pipe to the host")
		defer func() { _ = pipes[i].Close() }()
	}
	child.Stdin, child.Stdout, child.Stderr = pipes[0], pipes[1], pipes[2]
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: escape}
	if err := child.Start(); err != nil {
		return err.Error()
	}
	if escape {
		return strconv.Itoa(child.Process.Pid)
	}
	return "done"
}

// shout prints to the descriptors themselves: go-plugin has replaced os.Stdout
// and os.Stderr.
func shout() string {
	for fd, letter := range map[int]string{1: "o", 2: "e"} {
		text := []byte(strings.Repeat(letter, 1<<20) + "\n")
		for len(text) > 0 {
			n, err := syscall.Write(fd, text)
			if err != nil {
				return err.Error()
			}
			text = text[n:]
		}
	}
	return "done"
}
