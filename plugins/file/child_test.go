package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// Some tests need a process that can be killed: this test's own executable,
// with a role.
const (
	childRole     = "HARPIA_FILE_TEST_ROLE"
	childDir      = "HARPIA_FILE_TEST_DIR"
	childSettings = "HARPIA_FILE_TEST_SETTINGS"
)

type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
	ended bool
}

func startChild(t *testing.T, role, dir string, settings []string) *child {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir, childSettings+"="+strings.Join(settings, " "))
	cmd.Stderr = os.Stderr
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
	c := &child{t: t, cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
	t.Cleanup(c.kill)
	return c
}

func (c *child) wantLine(want string) {
	c.t.Helper()
	if !c.lines.Scan() || c.lines.Text() != want {
		c.t.Fatalf("the child says %q (%v), want %q", c.lines.Text(), c.lines.Err(), want)
	}
}

// kill is kill -9, and waits for the end. What the child has said before can
// still be read.
func (c *child) kill() {
	if c.ended {
		return
	}
	c.ended = true
	_ = c.cmd.Process.Kill()
	for c.lines.Scan() {
	}
	_ = c.cmd.Wait()
}

func runChild(role string) int {
	s := &Store{}
	if err := configure(s, os.Getenv(childDir), strings.Fields(os.Getenv(childSettings))...); err != nil {
		fmt.Println(err)
		return 1
	}
	switch role {
	case "hold":
		fmt.Println("open")
	case "write":
		go childWrites(s)
	}
	// Until the parent says so, or is dead.
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// childWriters is how many goroutines write at a time, each to keys of its
// own.
const childWriters = 4

// childWrites writes until it is killed, and says a line for each write that
// was acknowledged: "set KEY N", "del KEY N" or "inc KEY N", where N counts up.
func childWrites(s *Store) {
	ctx := context.Background()
	var out sync.Mutex
	for w := range childWriters {
		go func() {
			for n := 1; ; n++ {
				key := fmt.Sprintf("%d-%d", w, rand.IntN(20))
				counter := fmt.Sprintf("count-%d", w)
				var line string
				var err error
				switch n % 8 {
				case 0:
					line = "del " + key + " " + strconv.Itoa(n)
					err = s.Delete(ctx, key)
				case 1, 2:
					var sum int64
					sum, _, err = s.Increment(ctx, counter, 1, time.Time{})
					line = "inc " + counter + " " + strconv.FormatInt(sum, 10)
				default:
					line = "set " + key + " " + strconv.Itoa(n)
					// Some so large that the log changes often.
					value := strconv.Itoa(n) + strings.Repeat(".", rand.IntN(20_000))
					err = s.Set(ctx, key, cache.Entry{Value: []byte(value)})
				}
				if err != nil {
					line = "error " + err.Error()
				}
				out.Lock()
				fmt.Println(line)
				out.Unlock()
			}
		}()
	}
}
