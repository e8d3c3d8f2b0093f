//go:build linux

package pluginstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/memstore"
	"github.com/harpia-go/harpia/shared"
)

// programs are what the test binary becomes when it is run under another name:
// plugins, good and bad.
var programs = map[string]func(){
	"harpia-store-memory":        func() { shared.Serve(&memstore.Store{}) },
	"harpia-store-durable":       func() { shared.Serve(&durable{}) },
	"harpia-store-shared":        func() { shared.Serve(&other{}) },
	"harpia-store-slow":          slowPlugin,
	"harpia-store-poison":        func() { poisonPlugin(false) },
	"harpia-store-poison-common": func() { poisonPlugin(true) },
	"harpia-store-three":         func() { shared.Serve(threeMethods{&memstore.Store{}}) },
	"harpia-store-fails":         func() { shared.Serve(&configured{err: errors.New("the disk is on holiday")}) },
	"harpia-store-panics":        func() { shared.Serve(&panics{}) },
	"harpia-store-dies":          func() { shared.Serve(&configured{die: true}) },
	"harpia-store-quits":         func() { shared.Serve(&configured{quit: true}) },
	"harpia-store-fatal":         func() { shared.Serve(&configured{fatal: true}) },
	"harpia-store-deaf":          func() { shared.Serve(&configured{hang: true}) },
	"harpia-store-family":        func() { forkChild(); shared.Serve(&memstore.Store{}) },
	"harpia-store-chatty":        func() { fmt.Println("hello from the plugin"); shared.Serve(&memstore.Store{}) },
	"harpia-store-loud":          func() { shared.Serve(&loud{}) },
	"harpia-store-silent":        func() { time.Sleep(time.Hour) },
	"harpia-store-exits":         func() { fmt.Fprintln(os.Stderr, "no license found"); os.Exit(3) },
	"harpia-store-future":        func() { fmt.Println("1|99|unix|/nowhere|grpc|"); time.Sleep(time.Hour) },
	"harpia-store-tcp":           func() { fmt.Println("1|1|tcp|127.0.0.1:1|grpc|"); time.Sleep(time.Hour) },
	"harpia-store-closes":        func() { _ = os.Stdout.Close(); time.Sleep(time.Hour) },
	"harpia-store-elsewhere":     func() { fmt.Println("1|1|unix|/nowhere|grpc|"); time.Sleep(time.Hour) },
	"harpia-store-netrpc":        func() { fmt.Println("1|1|unix|/nowhere|netrpc"); time.Sleep(time.Hour) },
	"harpia-store-plain":         func() { _ = os.Unsetenv("PLUGIN_CLIENT_CERT"); shared.Serve(&memstore.Store{}) },
	"harpia-store-hostile":       hostile,
	"harpia-store-telltale":      func() { shared.Serve(&telltale{}) },
	"harpia-store-marks":         func() { forkChild(); shared.Serve(&marks{}) },
	"harpia-store-hangs":         func() { forkChild(); shared.Serve(&marks{never: true}) },
	"harpia-store-own":           func() { shared.Serve(&perKey{}) },
	"harpia-store-common":        func() { shared.Serve(&perKey{common: true}) },
	"harpia-store-unwilling":     func() { shared.Serve(&unwilling{}) },
	"harpia-store-sick":          func() { (&unhealthy{name: "sick"}).serve() },
	"harpia-store-sick-common":   func() { (&unhealthy{name: "sick", common: true}).serve() },
	"harpia-store-mortal":        func() { (&unhealthy{name: "mortal", dies: true}).serve() },
	"harpia-store-mortal-common": func() { (&unhealthy{name: "mortal", dies: true, common: true}).serve() },
	"mortal-host":                mortalHost,
	"starting-host":              startingHost,
	"harpia-store-waits":         func() { _, _ = io.Copy(io.Discard, os.Stdin) },
	"harpia-store-env":           func() { shared.Serve(&configured{err: fmt.Errorf("%q", os.Environ())}) },
	"harpia-probe":               probe,
}

func TestMain(m *testing.M) {
	if program, ok := programs[filepath.Base(os.Args[0])]; ok {
		program()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// plugins returns a directory that holds all of programs.
func plugins(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name := range programs {
		if err := os.Symlink(exe, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// threeMethods hides what its store can do beyond the three.
type threeMethods struct{ s *memstore.Store }

func (t threeMethods) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	return t.s.Get(ctx, key)
}
func (t threeMethods) Set(ctx context.Context, key string, e cache.Entry) error {
	return t.s.Set(ctx, key, e)
}
func (t threeMethods) Delete(ctx context.Context, key string) error { return t.s.Delete(ctx, key) }
func (t threeMethods) Configure(ctx context.Context, s shared.Settings) error {
	checked, err := shared.CheckSettings(t.s.Describe().Settings, nil)
	if err != nil {
		return err
	}
	return t.s.Configure(ctx, checked)
}

// configured misbehaves in Configure.
type configured struct {
	memstore.Store
	err             error
	die, quit, hang bool
	fatal           bool
}

func (c *configured) Configure(ctx context.Context, _ shared.Settings) error {
	if c.die {
		slog.Error("cannot go on")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Hour)
	}
	if c.quit {
		fmt.Fprintln(os.Stderr, "there is no database")
		os.Exit(3)
	}
	if c.fatal {
		log.Fatal("the license has expired")
	}
	if c.hang {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		time.Sleep(time.Hour) // the signal may take its time
	}
	return c.err
}

// panics panics in Get, and only there.
type panics struct{ memstore.Store }

func (*panics) Get(context.Context, string) (cache.Entry, bool, error) { panic("the shelf is empty") }

// forkChild leaves a child that holds the plugin's pipes open.
func forkChild() {
	child := exec.Command("sleep", "3600")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	if err := child.Start(); err != nil {
		panic(err)
	}
}

// loud prints more than any line should have, on both outputs, and records
// that go-plugin's own reader would trip over.
type loud struct{ memstore.Store }

func (l *loud) Configure(ctx context.Context, s shared.Settings) error {
	// The descriptors themselves: go-plugin has replaced os.Stdout.
	for fd, text := range map[int]string{
		1: strings.Repeat("o", 1<<20) + "\n",
		2: strings.Repeat("e", 1<<20) + "\n" + `{"@message": 1, "@level": {}, "@timestamp": []}` + "\n",
	} {
		if _, err := syscall.Write(fd, []byte(text)); err != nil {
			return err
		}
	}
	fmt.Println(strings.Repeat("p", 1<<20))
	return l.Store.Configure(ctx, s)
}

// hostile answers the handshake with garbage where the certificate belongs.
func hostile() {
	fmt.Printf("1|1|unix|%s/socket|grpc|%s\n", os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), strings.Repeat("!", 200))
	time.Sleep(time.Hour)
}
