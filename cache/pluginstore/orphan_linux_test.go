package pluginstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/memstore"
	"github.com/harpia-go/harpia/internal/proctest"
)

// envMark names the file that the test plugin writes when its store is closed.
const envMark = "HARPIA_TEST_MARK"

// marks is a store that tells when it is closed, if it ever is.
type marks struct {
	memstore.Store
	never bool
}

func (m *marks) Close() error {
	if err := os.WriteFile(os.Getenv(envMark)+".begun", nil, 0o600); err != nil {
		return err
	}
	if m.never {
		select {}
	}
	time.Sleep(100 * time.Millisecond) // what is written takes a while
	return errors.Join(m.Store.Close(), os.WriteFile(os.Getenv(envMark), []byte("closed"), 0o600))
}

// mortalHost is a host that opens the store whose program it is given, prints
// the plugin's process, and lives until it is killed or told to close the store
// or to panic.
func mortalHost() {
	program := os.Args[1]
	s, err := pluginstore.Open(context.Background(), program, &pluginstore.Options{
		Insecure: []string{program}, Env: []string{envMark},
	})
	if err == nil {
		err = s.Set(context.Background(), "k", cache.Entry{Value: []byte("v")})
	}
	if err != nil {
		panic(err)
	}
	fmt.Println(s.PID())
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if line == "close\n" {
		panic(s.Close())
	}
	panic(fmt.Sprint(line, err))
}

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

// orphan is a plugin and the host that it is about to lose.
type orphan struct {
	host   *exec.Cmd
	plugin int
	stdin  io.Writer
	tty    *os.File // if the host has one
	mark   string
}

func newOrphan(t *testing.T, l *lab, program string, onTerminal bool) *orphan {
	t.Helper()
	o := &orphan{mark: filepath.Join(t.TempDir(), "mark")}
	t.Setenv(envMark, o.mark)
	o.host = exec.Command(filepath.Join(l.dirs[0], "mortal-host"), filepath.Join(l.dirs[0], program))
	var said io.Reader
	if onTerminal {
		master, slave := terminal(t)
		o.host.Stdin, o.host.Stdout = slave, slave
		o.host.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		defer slave.Close()
		o.tty, o.stdin, said = master, master, master
	} else {
		stdin, err := o.host.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stdin.Close() })
		o.stdin = stdin
		if said, err = o.host.StdoutPipe(); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.host.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.host.Process.Kill(); _ = o.host.Wait() })
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		t.Fatalf("the host says %q: %v", line, err)
	}
	if o.plugin, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatalf("the host says %q, want its plugin's process", line)
	}
	t.Cleanup(func() { _ = syscall.Kill(-o.plugin, syscall.SIGKILL) })
	if pids, err := proctest.Group(o.plugin); err != nil || len(pids) != 2 {
		t.Fatalf("the plugin's group is %v, %v: want it and its child", pids, err)
	}
	return o
}

func (o *orphan) stopPlugin() {
	_ = syscall.Kill(o.plugin, syscall.SIGSTOP)
	for !proctest.Stopped(o.plugin) {
		time.Sleep(time.Millisecond)
	}
}

// killWhileClosing kills a host that has asked its plugin to end.
func (o *orphan) killWhileClosing() error {
	if _, err := io.WriteString(o.stdin, "close\n"); err != nil {
		return err
	}
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(o.mark + ".begun"); err == nil || time.Since(begin) > 10*time.Second {
			return errors.Join(err, o.host.Process.Kill())
		}
	}
}

// However a host ends, nothing that its plugin started outlives it for long,
// and the store was closed before.
func TestOrphansEnd(t *testing.T) {
	const closes, hangs = "harpia-store-marks", "harpia-store-hangs"
	for name, c := range map[string]struct {
		program    string
		onTerminal bool
		end        func(*orphan) error
	}{
		"kill -9":         {program: closes, end: func(o *orphan) error { return o.host.Process.Kill() }},
		"SIGTERM":         {program: closes, end: func(o *orphan) error { return o.host.Process.Signal(syscall.SIGTERM) }},
		"panic":           {program: closes, end: func(o *orphan) error { _, err := io.WriteString(o.stdin, "now\n"); return err }},
		"closed terminal": {program: closes, onTerminal: true, end: func(o *orphan) error { return o.tty.Close() }},
		// The system wakes the stopped processes of a group that is orphaned.
		"kill -9, plugin stopped": {program: closes, end: func(o *orphan) error { o.stopPlugin(); return o.host.Process.Kill() }},
		"kill -9, store hangs":    {program: hangs, end: func(o *orphan) error { return o.host.Process.Kill() }},
		"kill -9 while closing":   {program: hangs, end: (*orphan).killWhileClosing},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			o := newOrphan(t, l, c.program, c.onTerminal)
			begin := time.Now()
			if err := c.end(o); err != nil {
				t.Fatal(err)
			}
			_ = o.host.Wait()
			var running []int
			var left []string
			var err error
			for time.Since(begin) < 5*time.Second {
				running, err = proctest.Group(o.plugin)
				left, _ = filepath.Glob(l.tmp + "/*")
				if err == nil && len(running) == 0 && len(left) == 0 {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			t.Logf("all is gone after %v", time.Since(begin))
			if err != nil || len(running) > 0 || len(left) > 0 {
				t.Errorf("of the plugin there are left: processes %v, %v; files %v", running, err, left)
			}
			switch _, err := os.Stat(o.mark); {
			case c.program == closes && err != nil:
				t.Errorf("the store was not closed: %v", err)
			case c.program == hangs && !errors.Is(err, fs.ErrNotExist):
				t.Errorf("a store that hangs was closed: %v", err)
			}
		})
	}
}
