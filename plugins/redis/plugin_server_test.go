//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/redistest"
	"github.com/harpia-go/harpia/shared"
)

// binary builds the plugin, once for all tests.
var binary = sync.OnceValues(func() (path string, err error) {
	if built, err = os.MkdirTemp("", "harpia-test-"); err != nil {
		return "", err
	}
	path = filepath.Join(built, "harpia-store-redis")
	args := append([]string{"build", "-trimpath", "-o", path}, buildFlags...)
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// inProcess opens a store of this process.
func inProcess(t *testing.T, storeURL string, settings url.Values) *Store {
	t.Helper()
	given := []shared.SettingValue{{Name: "url", Value: storeURL}}
	for name, values := range settings {
		for _, value := range values {
			given = append(given, shared.SettingValue{Name: name, Value: value})
		}
	}
	s := &Store{}
	checked, err := shared.CheckSettings(s.Describe().Settings, given)
	if err == nil {
		err = s.Configure(t.Context(), checked)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// plugin is a host's store on the binary. Nothing that the host or the plugin
// says may show one of the secrets.
type plugin struct {
	*pluginstore.Store
	t       *testing.T
	log     *logBuffer
	secrets []string
}

// start opens the store that a URL names.
func start(t *testing.T, storeURL string, settings url.Values, secrets ...string) *plugin {
	t.Helper()
	p, err := tryStart(t, storeURL, settings, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tryStart is start for what may fail.
func tryStart(t *testing.T, storeURL string, settings url.Values, secrets ...string) (*plugin, error) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &plugin{t: t, log: &logBuffer{}, secrets: secrets}
	p.Store, err = pluginstore.Open(t.Context(), storeURL, &pluginstore.Options{
		Dirs:     []string{built},
		Insecure: []string{path},
		Settings: settings,
		Logger:   slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	t.Cleanup(p.end)
	return p, p.seen(err)
}

// end closes the store and looks for secrets.
func (p *plugin) end() {
	if p.Store != nil {
		status := p.Status()
		_ = p.seen(status.Err)
		if status.Generation != 1 {
			p.t.Errorf("the plugin was started %d times: %v", status.Generation, status.Err)
		}
		for _, name := range []string{"cmdline", "environ"} {
			if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", status.PID, name)); err == nil {
				p.shows("the plugin's "+name, string(text))
			}
		}
		if err := p.seen(p.Close()); err != nil {
			p.t.Errorf("Close: %v", err)
		}
	}
	p.shows("the log", p.log.String())
	if strings.Contains(p.log.String(), "DATA RACE") {
		p.t.Error("there is a data race in the plugin")
	}
	if p.t.Failed() {
		p.t.Logf("the log:\n%s", p.log)
	}
}

func (p *plugin) shows(what, text string) {
	p.t.Helper()
	for _, secret := range p.secrets {
		if strings.Contains(text, secret) {
			p.t.Errorf("%s shows a secret:\n%s", what, text)
		}
	}
}

// seen returns err, in which no secret may be.
func (p *plugin) seen(err error) error {
	p.t.Helper()
	if err != nil {
		p.shows("an error", err.Error())
	}
	return err
}

// within is how long a call of these tests may take: the plugin must give an
// answer of its own before.
const within = 10 * time.Second

func (p *plugin) set(key, value string) error {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), within)
	defer cancel()
	return p.seen(p.Set(ctx, key, cache.Entry{Value: []byte(value)}))
}

// get returns the value under key, "-" for none.
func (p *plugin) get(key string) (string, error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), within)
	defer cancel()
	e, ok, err := p.Get(ctx, key)
	if !ok {
		return "-", p.seen(err)
	}
	return string(e.Value), p.seen(err)
}

// want demands that key holds value.
func (p *plugin) want(key, value string) {
	p.t.Helper()
	if got, err := p.get(key); got != value || err != nil {
		p.t.Errorf("%s holds %q, want %q: %v", key, got, value, err)
	}
}

// refuses demands that err is of one kind, and says text.
func refuses(t *testing.T, err, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("the error is %q, want %q that says %q", err, kind, text)
	}
}

// until waits until done returns true, and fails after some time.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v until %s", within, what)
		}
	}
}

// logBuffer is what a logger wrote.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func contains(err error, text string) bool {
	return err != nil && strings.Contains(err.Error(), text)
}

var newRelease = regexp.MustCompile(`\b[7-9]\.\d\.`)

// release6 makes a server say that it is 6.minor.
func release6(minor int) redistest.Handler {
	old := []byte(fmt.Sprintf("6.%d.", minor))
	return func(_ context.Context, command []string, forward func() []byte) []byte {
		answer := forward()
		if command[0] == "HELLO" || command[0] == "INFO" {
			answer = newRelease.ReplaceAll(answer, old)
		}
		return answer
	}
}

func inAnHour() time.Time { return time.Now().Add(time.Hour).Truncate(time.Millisecond) }
