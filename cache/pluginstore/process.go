package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

// process is one run of a plugin's program. go-plugin drives the handshake
// through it (it is a runner.Runner), and this package keeps what go-plugin
// would lose: the pipe on standard input by which the plugin notices the
// host's death, the process group, and the exit, which is noticed at once even
// if a child of the plugin holds its pipes open.
type process struct {
	cmd    *exec.Cmd
	dir    string // private, for the socket
	stderr output
	// secrets are what the plugin was given so far and must not show.
	secrets atomic.Pointer[secrets]

	stdin   *os.File // our end: closing it tells the plugin to end
	out     handshake
	errPipe *os.File
	readers sync.WaitGroup
	died    chan struct{} // closed as soon as the process has exited
	exited  chan struct{} // closed after that, when it is reaped and its output read
	exitErr error         // set before exited is closed

	mu       sync.Mutex
	started  bool
	killed   bool      // by us; it may not even start
	reaped   bool      // its number may be another's by now
	patience time.Time // Kill waits until then for the process to end by itself
}

var _ runner.Runner = (*process)(nil)

// newProcess makes ready to run the program exe, which sees name as its own.
func newProcess(exe, name string, env []string, log *slog.Logger) *process {
	cmd := exec.Command(exe)
	cmd.Args[0] = name
	cmd.Env = env
	cmd.SysProcAttr = ownGroup()
	p := &process{cmd: cmd, died: make(chan struct{}), exited: make(chan struct{})}
	p.stderr.log = log
	p.out.done = make(chan struct{})
	p.out.rest = &lines{each: p.printed}
	return p
}

// printed takes a line that the plugin wrote to standard output.
func (p *process) printed(line string) { p.stderr.log.Info(p.secrets.Load().hide(line)) }

// logged takes one that it wrote to standard error.
func (p *process) logged(line string) { p.stderr.line(line, p.secrets.Load()) }

// addEnv takes what go-plugin tells the plugin through its environment.
func (p *process) addEnv(env []string) { p.cmd.Env = append(p.cmd.Env, env...) }

// Start implements runner.Runner.
func (p *process) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return errors.New("pluginstore: the start was given up")
	}
	var ours, theirs [3]*os.File
	closeAll := func(files ...*os.File) {
		for _, f := range files {
			if f != nil {
				_ = f.Close()
			}
		}
	}
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(append(ours[:], theirs[:]...)...)
			return fmt.Errorf("pluginstore: pipe to the plugin: %w", err)
		}
		if ours[i], theirs[i] = r, w; i == 0 {
			ours[i], theirs[i] = w, r
		}
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirs[0], theirs[1], theirs[2]
	err := startCommand(p.cmd)
	closeAll(theirs[:]...)
	if err != nil {
		closeAll(ours[:]...)
		return err
	}
	p.started = true
	p.stdin, p.out.pipe, p.errPipe = ours[0], ours[1], ours[2]
	p.readers.Go(func() { _, _ = io.Copy(&lines{each: p.logged}, p.errPipe) })
	go p.reap()
	return nil
}

// reap waits for the process, ends what it may have left in its group, and
// takes what is left in the pipes.
func (p *process) reap() {
	// The group is killed between the exit and its reaping: its number cannot
	// belong to anybody else yet.
	awaitExit(p.cmd.Process.Pid)
	killGroup(p.cmd.Process.Pid)
	close(p.died) // nothing of it does anything any more
	p.mu.Lock()
	p.reaped = true
	p.mu.Unlock()
	p.exitErr = p.cmd.Wait()
	_ = p.stdin.Close()
	// A child that left the group may still hold the pipes.
	deadline := time.Now().Add(time.Second)
	_ = p.errPipe.SetReadDeadline(deadline)
	_ = p.out.pipe.SetReadDeadline(deadline)
	p.readers.Wait()
	_ = p.errPipe.Close()
	// go-plugin reads the other, but does not when it has given up already.
	select {
	case <-p.out.done:
	case <-time.After(time.Until(deadline)):
	}
	_ = p.out.pipe.Close()
	close(p.exited)
}

// Wait implements runner.Runner.
func (p *process) Wait(ctx context.Context) error {
	select {
	case <-p.exited:
		return p.exitErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill implements runner.Runner. go-plugin calls it two seconds after it has
// asked the plugin to end, which may be too early for one that flushes.
func (p *process) Kill(ctx context.Context) error {
	p.mu.Lock()
	patience := max(time.Until(p.patience), exitGrace)
	p.mu.Unlock()
	_ = p.stdin.Close()
	if p.awaitEnd(patience) {
		return nil
	}
	p.kill()
	return p.Wait(ctx)
}

// kill ends the process and its group now, or sees to it that it never starts.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.exited:
		return
	default:
	}
	p.killed = true
	if p.started && !p.reaped {
		killGroup(p.cmd.Process.Pid)
	}
}

// awaitEnd waits at most d for the process to end and reports whether it did.
func (p *process) awaitEnd(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.exited:
		return true
	case <-t.C:
		return false
	}
}

// awaitDeath waits at most d for the process to exit and reports whether it did. It
// may not have been reaped then.
func (p *process) awaitDeath(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.died:
		return true
	case <-t.C:
		return false
	}
}

// state reports whether the process was started, and whether it has ended by
// itself.
func (p *process) state() (started, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.exited:
		return p.started, !p.killed
	default:
		return p.started, false
	}
}

// endWithin lets the process take d to end by itself.
func (p *process) endWithin(d time.Duration) {
	p.mu.Lock()
	p.patience = time.Now().Add(d)
	p.mu.Unlock()
}

// exit says how the process ended.
func (p *process) exit() string {
	if p.exitErr == nil {
		return "it exited with status 0"
	}
	if s := p.cmd.ProcessState; s != nil {
		return "it ended with " + s.String()
	}
	return p.exitErr.Error()
}

// wasKilled reports whether SIGKILL ended the process, which has exited.
func (p *process) wasKilled() bool {
	if p.cmd.ProcessState == nil {
		return false
	}
	s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && s.Signaled() && s.Signal() == syscall.SIGKILL
}

// Stdout implements runner.Runner.
func (p *process) Stdout() io.ReadCloser { return &p.out }

// Stderr implements runner.Runner. See output for why it has nothing.
func (p *process) Stderr() io.ReadCloser { return untilClosed(p.exited) }

// Name implements runner.Runner.
func (p *process) Name() string { return filepath.Base(p.cmd.Path) }

// ID implements runner.Runner.
func (p *process) ID() string {
	if started, _ := p.state(); !started {
		return ""
	}
	return strconv.Itoa(p.cmd.Process.Pid)
}

// Diagnose implements runner.Runner. Failures are explained from what the
// process itself showed; see explain.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner. Both are on one file system. A socket
// that others could reach is not connected to: it must be in the private
// directory that the plugin was given.
func (p *process) PluginToHost(network, addr string) (string, string, error) {
	if network != "unix" {
		return "", "", fmt.Errorf("pluginstore: the plugin listens on %q", network)
	}
	if rel, err := filepath.Rel(p.dir, filepath.Clean(addr)); err != nil || !filepath.IsLocal(rel) {
		return "", "", fmt.Errorf("pluginstore: the plugin listens at %q, which is not in the directory that it was given for its socket", addr)
	}
	return network, addr, nil
}

// HostToPlugin implements runner.Runner.
func (p *process) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}

// untilClosed is a reader of nothing that ends when the channel is closed.
type untilClosed chan struct{}

func (c untilClosed) Read([]byte) (int, error) { <-c; return 0, io.EOF }
func (c untilClosed) Close() error             { return nil }
