package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harpia-go/harpia/internal/proctest"
	"github.com/harpia-go/harpia/internal/server"
)

// place is where a test's hosts run: a directory for what they store, and one
// for their temporary files.
type place struct {
	t        *testing.T
	dir, tmp string
}

// newPlace also sees to it that of all plugins that run there nothing is left.
func newPlace(t *testing.T) *place {
	t.Helper()
	// Not t.TempDir: the path of a socket has to be short.
	dir, err := os.MkdirTemp("", "host-")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t, dir, filepath.Join(dir, "tmp")}
	if err := os.Mkdir(p.tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.until("nothing is left", func() bool { return p.plugins() == 0 && p.files() == 0 })
		_ = os.RemoveAll(dir)
	})
	return p
}

func (p *place) plugins() int {
	pids, err := proctest.Find(func(line string) bool { return strings.HasPrefix(line, filepath.Join(built, "harpia-store-")) })
	if err != nil {
		p.t.Fatal(err)
	}
	return len(pids)
}

// children counts the processes that the process has started.
func (p *place) children(pid int) int {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		p.t.Fatal(err)
	}
	n := 0
	for _, file := range threads {
		text, _ := os.ReadFile(file) // the thread may have ended
		n += len(strings.Fields(string(text)))
	}
	return n
}

func (p *place) files() int {
	files, err := os.ReadDir(p.tmp)
	if err != nil {
		p.t.Fatal(err)
	}
	return len(files)
}

// until waits for a condition.
func (p *place) until(what string, is func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("it is not so: %s", what)
		}
	}
}

// host returns a command that runs the host with the store in data.
func (p *place) host(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(built, "host"), append([]string{"--store", "file:data"}, args...)...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "HARPIA_STORE=", "TMPDIR="+p.tmp, "HOME="+p.dir)
	return cmd
}

// has fails unless the key holds the text, in the store itself.
func (p *place) has(key, text string) {
	p.t.Helper()
	if out, err := p.host("get", key).Output(); err != nil || string(out) != text {
		p.t.Errorf("%s holds %q, %v; want %q", key, out, err, text)
	}
}

// serving is a host that serves.
type serving struct {
	*place
	cmd  *exec.Cmd
	addr string
	log  bytes.Buffer // to be read when the host has ended
}

// serve starts cmd, or if it is nil a host, which shall serve at the address.
func (p *place) serve(cmd func(addr string) *exec.Cmd) *serving {
	p.t.Helper()
	port, err := freePort()
	if err != nil {
		p.t.Fatal(err)
	}
	s := &serving{place: p, addr: net.JoinHostPort("127.0.0.1", port)}
	if cmd != nil {
		s.cmd = cmd(s.addr)
	} else {
		s.cmd = p.host("serve", "--http", s.addr)
		s.cmd.Stderr = &s.log
	}
	if err := s.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	p.until("the host is ready", func() bool { now, ok := s.status(); return ok && now.Ready })
	return s
}

// status is what /readyz shows, if anybody answers.
func (s *serving) status() (now server.Status, ok bool) {
	r, err := http.Get("http://" + s.addr + "/readyz")
	if err != nil {
		return now, false
	}
	defer r.Body.Close()
	return now, json.NewDecoder(r.Body).Decode(&now) == nil
}

// do makes a request and returns the status and the body of the answer.
func (s *serving) do(c *http.Client, method, key, body string) (int, string, error) {
	req, err := http.NewRequest(method, "http://"+s.addr+"/v1/cache/"+key, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r.StatusCode, string(text), err
}

func (s *serving) put(key, value string) {
	s.t.Helper()
	if code, text, err := s.do(http.DefaultClient, http.MethodPut, key, value); err != nil || code != http.StatusNoContent {
		s.t.Errorf("PUT %s: %d %s %v", key, code, text, err)
	}
}

func (s *serving) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatal(err)
	}
}

// end ends the host, which must be content.
func (s *serving) end() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the host: %v\n%s", err, &s.log)
	}
}
