package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/harpia-go/harpia/internal/proctest"
)

// terminal opens both ends of a terminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// serveOnTerminal starts a host at a terminal of its own, by a line of shell
// that runs "$@". What closes the terminal is returned with it.
func (p *place) serveOnTerminal(line string) (*serving, func()) {
	p.t.Helper()
	master, slave := terminal(p.t)
	defer slave.Close()
	// The file could not be closed while a Read is in it; the host prints
	// little and does not depend on it being read.
	return p.serve(func(addr string) *exec.Cmd {
		host := p.host("serve", "--http", addr)
		cmd := exec.Command("sh", append([]string{"-c", line, "sh"}, host.Args...)...)
		cmd.Dir, cmd.Env = host.Dir, host.Env
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		return cmd
	}), func() { _ = master.Close() }
}

// running lists the hosts that serve at the address.
func (s *serving) running() []int {
	pids, err := proctest.Find(func(line string) bool {
		return strings.HasSuffix(line, " serve --http "+s.addr) && !strings.HasPrefix(line, "sh ")
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return pids
}

// When the terminal is closed, the host ends as it should: the plugin is gone
// and has what it was given.
func TestClosedTerminal(t *testing.T) {
	for name, line := range map[string]string{
		"alone":    `exec "$@"`,
		"in shell": `"$@"; true`,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			s, closeTerminal := p.serveOnTerminal(line)
			s.put("k", "v")
			now, _ := s.status()
			if now.Plugin == nil {
				t.Fatalf("the status is %+v", now)
			}
			begin := time.Now()
			closeTerminal()
			p.until("host and plugin are gone", func() bool {
				group, err := proctest.Group(now.Plugin.PID)
				return err == nil && len(group) == 0 && len(s.running()) == 0
			})
			t.Logf("all is gone after %v", time.Since(begin))
			if err := s.cmd.Wait(); name == "alone" && err != nil {
				t.Errorf("the host: %v", err)
			}
			if n := p.files(); n > 0 {
				t.Errorf("%d temporary files are left", n)
			}
			p.has("k", "v")
		})
	}
}

// SIGHUP at a terminal that is still there is a wish to upgrade.
func TestSIGHUPAtATerminal(t *testing.T) {
	p := newPlace(t)
	s, _ := p.serveOnTerminal(`exec "$@"`)
	s.put("k", "v")
	s.signal(syscall.SIGHUP)
	p.until("another process serves", func() bool {
		now, ok := s.status()
		return ok && now.State == "ready" && now.Generation == 2
	})
	s.end()
	p.has("k", "v")
}

// A host may be told to end while it replaces its plugin.
func TestEndDuringAnUpgrade(t *testing.T) {
	p := newPlace(t)
	for i := range 4 {
		s := p.serve(nil)
		value := strconv.Itoa(i)
		s.put("k", value)
		s.signal(syscall.SIGHUP)
		p.until("the upgrade has begun", func() bool {
			now, ok := s.status()
			return ok && (now.Generation > 1 || now.Plugin == nil || p.children(s.cmd.Process.Pid) > 1)
		})
		s.end()
		if n := p.files(); n > 0 {
			t.Errorf("%d temporary files are left", n)
		}
		p.has("k", value)
	}
}

// Under nohup a host outlives its terminal, and SIGHUP is nothing to it.
func TestNohup(t *testing.T) {
	p := newPlace(t)
	s, closeTerminal := p.serveOnTerminal(`trap "" HUP; exec "$@"`)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	ignored := regexp.MustCompile(`(?m)^SigIgn:\s+([0-9a-f]+)$`).FindSubmatch(text)
	if mask, err := strconv.ParseUint(string(ignored[1]), 16, 64); err != nil || mask&(1<<(syscall.SIGHUP-1)) == 0 {
		t.Errorf("the host ignores the signals %s, %v", ignored[1], err)
	}
	closeTerminal()
	s.signal(syscall.SIGHUP)
	s.put("k", "v")
	if now, ok := s.status(); !ok || now.Generation != 1 {
		t.Errorf("the status is %+v, %v", now, ok)
	}
	s.end()
	p.has("k", "v")
}

// SIGHUP ends a command that is no server, and its plugin with it.
func TestSIGHUPEndsTheShell(t *testing.T) {
	p := newPlace(t)
	cmd := p.host("shell")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if _, err := stdin.Write([]byte("set k v\nget k\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "v\n" {
		t.Fatalf("the shell says %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("the shell: %v", err)
	}
	if n, files := p.plugins(), p.files(); n+files > 0 {
		t.Errorf("%d plugins and %d files are left", n, files)
	}
	p.has("k", "v")
}
