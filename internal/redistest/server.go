//go:build unix

package redistest

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const (
	socketName = "s"
	configName = "config"
)

// Server is one process of a server, which may be ended and started again.
type Server struct {
	t       testing.TB
	program string
	args    []string
	options Options
	dir     string
	port    int

	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has ended
	out   output
}

// Start starts a server and waits until it answers.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	o.Config = append([]string{`save ""`}, o.Config...)
	s := newServer(t, o)
	s.begin()
	return s
}

// newServer returns a server that is not started.
func newServer(t testing.TB, o Options, args ...string) *Server {
	t.Helper()
	o.admin = cmp.Or(o.admin, rand.Text())
	s := &Server{t: t, program: program(t), args: args, options: o, dir: t.TempDir(), port: freePort(t)}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("redistest: the server at %s said:\n%s", s.Addr(), s.out.last())
		}
	})
	return s
}

// begin starts the server for the first time. Its port may have become another
// process's since it was found to be free.
func (s *Server) begin() {
	s.t.Helper()
	const most = 5
	for try := 1; ; try++ {
		s.configure()
		err := s.start()
		if err == nil {
			return
		}
		if try == most || !strings.Contains(s.out.last(), "Address already in use") {
			s.t.Fatalf("redistest: the server did not start: %v\n%s", err, s.out.last())
		}
		s.port = freePort(s.t)
	}
}

func (s *Server) configure() {
	s.t.Helper()
	text := s.options.configuration(s.dir, s.port)
	if err := os.WriteFile(filepath.Join(s.dir, configName), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// start starts the process and waits until it answers.
func (s *Server) start() error {
	cmd := exec.Command(s.program, append([]string{filepath.Join(s.dir, configName)}, s.args...)...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = &s.out, &s.out
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	s.cmd, s.ended = cmd, ended
	return poll(func() error {
		select {
		case <-ended:
			return final{fmt.Errorf("it ended: %v", cmd.ProcessState)}
		default:
		}
		_, err := s.Try("PING")
		if _, refused := errors.AsType[Error](err); refused {
			return nil // it answers, if only that it still loads
		}
		return err
	})
}

// Addr returns the server's host and port.
func (s *Server) Addr() string { return loopback(s.port) }

// Port returns the server's port.
func (s *Server) Port() string { return strconv.Itoa(s.port) }

// Socket returns the path of the server's Unix socket, at which it listens too.
func (s *Server) Socket() string { return filepath.Join(s.dir, socketName) }

// Dir returns the directory in which the server keeps its files.
func (s *Server) Dir() string { return s.dir }

// Kill ends the server at once. One that has ended stays so.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// Stop lets the server end in good order.
func (s *Server) Stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		<-s.ended
	}
}

// Restart starts a server that has ended at the same address, with what it had
// on disk.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	if err := s.start(); err != nil {
		s.t.Fatalf("redistest: the server did not start again: %v\n%s", err, s.out.last())
	}
}

// Pause stops the process: the system still accepts connections for it, and
// nobody answers.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// output keeps the last that a process wrote.
type output struct {
	mu   sync.Mutex
	text []byte
}

func (o *output) Write(p []byte) (int, error) {
	const most = 8 << 10
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	if extra := len(o.text) - most; extra > 0 {
		o.text = append(o.text[:0], o.text[extra:]...)
	}
	return len(p), nil
}

func (o *output) last() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}
