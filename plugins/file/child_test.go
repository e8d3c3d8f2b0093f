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
	childFirst    = "HARPIA_FILE_TEST_FIRST"
)

type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
	ended bool
}

func startChild(t *testing.T, role, dir string, settings []string, env ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir, childSettings+"="+strings.Join(settings, " "))
	cmd.Env = append(cmd.Env, env...)
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
	t.Cleanup(func() { c.kill() })
	return c
}

func (c *child) wantLine(want string) {
	c.t.Helper()
	if !c.lines.Scan() || c.lines.Text() != want {
		c.t.Fatalf("the child says %q (%v), want %q", c.lines.Text(), c.lines.Err(), want)
	}
}

// kill is kill -9. It returns what the child had said that was not read yet.
func (c *child) kill() []string {
	var rest []string
	if !c.ended {
		c.ended = true
		_ = c.cmd.Process.Kill()
		for c.lines.Scan() {
			rest = append(rest, c.lines.Text())
		}
		_ = c.cmd.Wait()
	}
	return rest
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
		first, _ := strconv.Atoi(os.Getenv(childFirst))
		childWrites(s, first)
	case "fill":
		first, _ := strconv.Atoi(os.Getenv(childFirst))
		childFills(s, first)
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
// was acknowledged: "N KEY VALUE", where N counts up for each writer and VALUE
// is what KEY holds since, "-" for nothing. Another reads their counters, and
// says "read KEY VALUE" for each that it finds greater than before.
func childWrites(s *Store, first int) {
	var out sync.Mutex
	go func() {
		var last [childWriters]int
		for n := 0; ; n++ {
			w := n % childWriters
			key := fmt.Sprintf("count-%d", w)
			e, found, err := s.Get(context.Background(), key)
			if err != nil || !found {
				continue
			}
			if n, _ := strconv.Atoi(string(e.Value)); n > last[w] {
				last[w] = n
				out.Lock()
				fmt.Println("read", key, n)
				out.Unlock()
			}
		}
	}()
	for w := range childWriters {
		go func() {
			for n := first; ; n++ {
				key, value, err := childWrite(s, w, n)
				out.Lock()
				if err != nil {
					fmt.Println("error", err)
					return // with the lock: nobody says more
				}
				fmt.Println(n, key, value)
				out.Unlock()
			}
		}()
	}
}

func childWrite(s *Store, w, n int) (key, value string, err error) {
	ctx := context.Background()
	key, value = childOp(w, n)
	switch value {
	case "-":
		return key, value, s.Delete(ctx, key)
	case "+":
		sum, _, err := s.Increment(ctx, key, 1, time.Time{})
		return key, strconv.FormatInt(sum, 10), err
	}
	// Some so large that the log changes often.
	large := value + strings.Repeat(".", rand.IntN(20_000))
	return key, value, s.Set(ctx, key, cache.Entry{Value: []byte(large)})
}

// childOp is the nth write of writer w: a key with the value that it sets, "-"
// to delete it, or "+" to count it up.
func childOp(w, n int) (key, value string) {
	key = fmt.Sprintf("%d-%d", w, n*7%20)
	switch n % 8 {
	case 0:
		return key, "-"
	case 1, 2:
		return fmt.Sprintf("count-%d", w), "+"
	}
	return key, strconv.Itoa(n)
}

// fillers is how many goroutines of a child fill the disk.
const fillers = 8

// childFills writes values of 0.3 to 1 MB until it is killed, and prints "KEY SIZE"
// for each that was acknowledged and "refused" for each that was not.
func childFills(s *Store, first int) {
	var out sync.Mutex
	for w := range fillers {
		go func() {
			for n := first; ; n++ {
				key, size := fmt.Sprint(w, "-", n), 300_000+rand.IntN(700_000)
				err := s.Set(context.Background(), key, cache.Entry{Value: []byte(key + noise(size))})
				out.Lock()
				if err != nil {
					fmt.Println("refused")
				} else {
					fmt.Println(key, size)
				}
				out.Unlock()
			}
		}()
	}
}
