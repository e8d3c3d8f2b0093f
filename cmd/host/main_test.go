//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/harpia-go/harpia/internal/proctest"
)

// built is where TestMain has put the real programs.
var built string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if built, err = os.MkdirTemp("", "harpia-test-"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(built)
		for name, args := range map[string][]string{
			"host":                {"."},
			"harpia-store-memory": {"../../plugins/memory"},
			"harpia-store-file":   {"../../plugins/file"},
			"harpia-store-redis":  {"../../plugins/redis"},
			"harpia-store-broken": {"./testdata/broken"},
			"harpia-store-fickle": {"./testdata/fickle"},
			"fickle-2":            {"-ldflags=-X main.version=2.0.0", "./testdata/fickle"},
			"three-methods":       {"../../examples/plugin"},
		} {
			build := exec.Command("go", append([]string{"build", "-trimpath", "-o", filepath.Join(built, name)}, args...)...)
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "%v: %v\n%s", build, err, out)
				return 1
			}
		}
		// As "make build" does.
		pin := exec.Command(filepath.Join(built, "host"), "plugins", "trust", "--lock", filepath.Join(built, "plugins.lock"),
			filepath.Join(built, "harpia-store-memory"), filepath.Join(built, "harpia-store-file"),
			filepath.Join(built, "harpia-store-redis"), filepath.Join(built, "harpia-store-fickle"))
		if out, err := pin.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %v\n%s", pin, err, out)
			return 1
		}
		return m.Run()
	}())
}

// TestScripts tells stories at the command line.
func TestScripts(t *testing.T) { testscript.Run(t, scripts(t, "testdata")) }

// scripts says how the stories in dir are run. After each, nothing runs and
// nothing lies in the temporary directory.
func scripts(t *testing.T, dir string) testscript.Params {
	return testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			bin, tmp := filepath.Join(e.WorkDir, "bin"), filepath.Join(e.WorkDir, "tmp")
			for _, dir := range []string{bin, tmp, filepath.Join(e.WorkDir, "home")} {
				if err := os.MkdirAll(dir, 0o700); err != nil {
					return err
				}
			}
			programs, err := os.ReadDir(built)
			if err != nil {
				return err
			}
			for _, p := range programs {
				if err := os.Link(filepath.Join(built, p.Name()), filepath.Join(bin, p.Name())); err != nil {
					return err
				}
			}
			e.Setenv("PATH", bin+string(filepath.ListSeparator)+e.Getenv("PATH"))
			e.Setenv("TMPDIR", tmp)
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			port, err := freePort()
			if err != nil {
				return err
			}
			e.Setenv("ADDR", "127.0.0.1:"+port)
			e.Defer(func() {
				if err := nothingLeft(e.WorkDir, tmp); err != nil {
					t.Error(err)
				}
			})
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"http": httpCommand, "ready": readyCommand, "killplugin": killPlugin, "nothingleft": nothingLeftCommand,
			"expect-code": expectCode, "binary": writeBinary, "signalhost": signalHost,
			"soonnothingleft": soonNothingLeft, "append-byte": appendByte, "until": untilCommand, "untillog": untilLog,
			"pluginpid": pluginPID, "damage": damageFiles,
		},
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// running lists the plugins that were started from a script's directory.
func running(work string) ([]int, error) {
	started := regexp.MustCompile("^" + regexp.QuoteMeta(filepath.Join(work, "bin")) + "/(harpia-store-|three-methods)")
	return proctest.Find(started.MatchString)
}

func nothingLeft(work, tmp string) error {
	pids, err := running(work)
	if err != nil || len(pids) > 0 {
		return fmt.Errorf("plugins still run: %v, %v", pids, err)
	}
	left, err := filepath.Glob(filepath.Join(tmp, "*"))
	if len(left) > 0 {
		return fmt.Errorf("left in the temporary directory: %v", left)
	}
	return err
}

func nothingLeftCommand(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(nothingLeft(ts.Getenv("WORK"), ts.Getenv("TMPDIR")))
}

// killPlugin kills the plugin that runs, as hard as can be.
func killPlugin(ts *testscript.TestScript, _ bool, _ []string) {
	pids, err := running(ts.Getenv("WORK"))
	if err != nil || len(pids) != 1 {
		ts.Fatalf("%d plugins run", len(pids))
	}
	ts.Check(syscall.Kill(pids[0], syscall.SIGKILL))
}

// readyCommand waits until the server at ADDR says it is ready.
func readyCommand(ts *testscript.TestScript, _ bool, _ []string) {
	_, _ = ts.Stdout().Write([]byte(untilReadyz(ts, `"ready":true`)))
}

// untilCommand is: until PATTERN. It waits until what /readyz shows matches.
func untilCommand(ts *testscript.TestScript, _ bool, args []string) {
	_, _ = ts.Stdout().Write([]byte(untilReadyz(ts, args[0])))
}

func untilReadyz(ts *testscript.TestScript, pattern string) string {
	var text []byte
	wait(ts, pattern, func(is *regexp.Regexp) bool {
		r, err := http.Get("http://" + ts.Getenv("ADDR") + "/readyz")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		text, err = io.ReadAll(r.Body)
		return err == nil && is.Match(text)
	}, &text)
	return string(text)
}

// untilLog is: untillog FILE PATTERN. It waits until the file, that a program
// writes, matches.
func untilLog(ts *testscript.TestScript, _ bool, args []string) {
	var text []byte
	wait(ts, args[1], func(is *regexp.Regexp) (ok bool) {
		var err error
		text, err = os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && is.Match(text)
	}, &text)
}

func wait(ts *testscript.TestScript, pattern string, is func(*regexp.Regexp) bool, text *[]byte) {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	for deadline := time.Now().Add(30 * time.Second); !is(re); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("no match for %s in %s", pattern, *text)
		}
	}
}

// pluginPID is: pluginpid NAME. It sets the variable to the process that
// serves.
func pluginPID(ts *testscript.TestScript, _ bool, args []string) {
	pid := regexp.MustCompile(`"pid":(\d+)`).FindStringSubmatch(untilReadyz(ts, `"pid":`))
	ts.Setenv(args[0], pid[1])
}

// httpCommand is: http METHOD PATH STATUS [BODY]. The answer's body is its
// standard output.
func httpCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: http METHOD PATH STATUS [BODY]")
	}
	body := strings.NewReader(strings.Join(args[3:], " "))
	req, err := http.NewRequest(args[0], "http://"+ts.Getenv("ADDR")+args[1], body)
	ts.Check(err)
	r, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	ts.Check(err)
	_, _ = ts.Stdout().Write(text)
	if strconv.Itoa(r.StatusCode) != args[2] {
		ts.Fatalf("%s %s: %s\n%s", args[0], args[1], r.Status, text)
	}
}

// expectCode is: expect-code CODE PROGRAM ARG... The program must end with
// that very code.
func expectCode(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// writeBinary is: binary FILE. It writes bytes that are no text.
func writeBinary(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("\xff\x00\x01\r\n\x80 no text"), 0o600))
}

// appendByte is: append-byte FILE. The program still runs, and is another.
func appendByte(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND, 0)
	ts.Check(err)
	_, err = f.Write([]byte{0})
	ts.Check(err)
	ts.Check(f.Close())
}

// damageFiles is: damage PATTERN. It changes a byte in the middle of each file.
func damageFiles(ts *testscript.TestScript, _ bool, args []string) {
	names, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(names) == 0 {
		ts.Fatalf("no file matches %s", args[0])
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		ts.Check(err)
		b[len(b)/2] ^= 1
		ts.Check(os.WriteFile(name, b, 0o600))
	}
}

// signalHost is: signalhost TERM|KILL|HUP. It signals the host that serves in the
// background.
func signalHost(ts *testscript.TestScript, _ bool, args []string) {
	var pids []int
	var err error
	// What it starts has its command line for a moment.
	for range 100 {
		pids, err = proctest.Find(func(line string) bool { return strings.HasSuffix(line, " serve --http "+ts.Getenv("ADDR")) })
		if err != nil || len(pids) < 2 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil || len(pids) != 1 {
		ts.Fatalf("no one host serves: %v, %v", pids, err)
	}
	sig := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP}[args[0]]
	ts.Check(syscall.Kill(pids[0], sig))
}

// soonNothingLeft is nothingleft for a host that could not see to it itself:
// its plugin has a moment to notice.
func soonNothingLeft(ts *testscript.TestScript, _ bool, _ []string) {
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = nothingLeft(ts.Getenv("WORK"), ts.Getenv("TMPDIR")); err == nil {
			return
		}
	}
	ts.Check(err)
}
