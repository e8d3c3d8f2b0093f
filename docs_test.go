//go:build unix

package harpia_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harpia-go/harpia/internal/redistest"
)

// The documents tell the truth: every block of shell or Go in them is run, in
// their order, in a copy of the tree with the programs built and the server of
// "make run" listening. A block of JSON that follows is what it must print, but
// for the numbers.
var documents = []string{"README.md", "docs/http.md", "docs/redis.md", "docs/protocol.md", "docs/design.md", "CONTRIBUTING.md"}

var (
	block   = regexp.MustCompile("(?ms)^```(sh|go)\n(.*?)^```$(?:\n\n```json\n(.*?)^```$)?")
	numbers = regexp.MustCompile(`[0-9][0-9:.TZ-]*`)
)

// Where the documents say that servers listen.
const (
	documentedAddr    = "127.0.0.1:8380"
	documentedRedis   = "127.0.0.1:6379"
	documentedCluster = "127.0.0.1:7000"
)

func TestDocuments(t *testing.T) {
	dir := copyOfTree(t)
	command(t, dir, "make", "build")
	addr := serve(t, dir)
	for _, doc := range documents {
		t.Run(doc, func(t *testing.T) {
			text, err := os.ReadFile(doc)
			if err != nil {
				t.Fatal(err)
			}
			testDocument(t, dir, string(text), servers(t, addr, string(text)))
		})
	}
	t.Run("settings of redis", func(t *testing.T) { testSettings(t, dir, "redis", "docs/redis.md") })
}

// servers puts those of the test in the place of the documented ones, and starts
// what is needed of Redis.
func servers(t *testing.T, addr, text string) *strings.Replacer {
	t.Helper()
	places := []string{documentedAddr, addr}
	if strings.Contains(text, documentedRedis) {
		places = append(places, documentedRedis, redistest.Start(t, redistest.Options{}).Addr())
	}
	if strings.Contains(text, documentedCluster) {
		places = append(places, documentedCluster, redistest.StartCluster(t, 3, redistest.Options{}).Addrs()[0])
	}
	return strings.NewReplacer(places...)
}

func testDocument(t *testing.T, dir, text string, here *strings.Replacer) {
	for i, m := range block.FindAllStringSubmatch(text, -1) {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			switch code := m[2]; {
			case m[1] == "sh":
				out := shell(t, dir, here.Replace(code), strings.Contains(m[3], `"status"`))
				if want := m[3]; want != "" && numbers.ReplaceAllString(out, "0") != numbers.ReplaceAllString(want, "0") {
					t.Errorf("%s\nprints: %s\nand is documented to print: %s", code, out, want)
				}
			case strings.HasPrefix(code, "package main\n"):
				main := filepath.Join(t.TempDir(), "main.go")
				if err := os.WriteFile(main, []byte(code), 0o600); err != nil {
					t.Fatal(err)
				}
				command(t, dir, "go", "run", "-trimpath", main)
			default:
				inAnExample(t, code)
			}
		})
	}
}

// testSettings holds a document's table of settings to be what the plugin
// declares: all of them, in that order, with their defaults.
func testSettings(t *testing.T, dir, plugin, doc string) {
	describe := exec.Command(filepath.Join(dir, "bin", "host"), "--json", "plugins", "describe", plugin)
	out, err := describe.Output()
	if err != nil {
		t.Fatal(err)
	}
	var declared struct {
		Settings []struct{ Name, Default string }
	}
	if err := json.Unmarshal(out, &declared); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| setting | default | |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var got, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|(.*?)\\|").FindAllStringSubmatch(table, -1) {
		got = append(got, row[1]+"="+strings.Trim(row[2], " `"))
	}
	for _, s := range declared.Settings {
		want = append(want, s.Name+"="+s.Default)
	}
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("%s has the settings\n%v\nand the plugin\n%v", doc, got, want)
	}
}

// inAnExample holds a piece of Go to be, line by line, part of a program in
// examples/, which is built and tested there.
func inAnExample(t *testing.T, code string) {
	t.Helper()
	examples, err := filepath.Glob("examples/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range examples {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(code)) {
			return
		}
	}
	t.Errorf("no program in examples/ has this:\n%s", code)
}

// copyOfTree copies what the documents' commands need, so that they leave
// nothing in the tree.
func copyOfTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != "." && (strings.HasPrefix(name, ".") || path == "bin" || path == "data") {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(dir, path), 0o700)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, path), text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// shell runs a block of shell. In it, curl fails for an answer that is an
// error, unless the document shows one.
func shell(t *testing.T, dir, code string, mayFail bool) string {
	t.Helper()
	for tool, packaged := range map[string]string{"curl": "curl", "redis-cli": "redis-tools"} {
		if _, err := exec.LookPath(tool); err != nil && strings.Contains(code, tool) {
			if os.Getenv("HARPIA_REQUIRE_ALL") == "1" {
				t.Fatal(err)
			}
			t.Skipf("there is no %s to run the example with; install it with: apt-get install -y %s", tool, packaged)
		}
	}
	home := t.TempDir()
	rc := "silent\nshow-error\n"
	if !mayFail {
		rc += "fail-with-body\n"
	}
	if err := os.WriteFile(filepath.Join(home, ".curlrc"), []byte(rc), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-e", "-c", code)
	cmd.Dir = dir
	// What a reader would trust is kept out of this user's configuration, where
	// the go command has its own.
	goenv, err := exec.Command("go", "env", "GOENV").Output()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "HARPIA_STORE=", "CURL_HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "GOENV="+strings.TrimSpace(string(goenv)))
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v\n%s%s", code, err, out, &errors)
	}
	return string(out)
}

func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// serve runs what "make run" runs, on a free port.
func serve(t *testing.T, dir string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	cmd := exec.Command(filepath.Join(dir, "bin", "host"), "--store", "file:./data", "serve", "--http", addr)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server: %v\n%s", err, &out)
		}
	})
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if r, err := http.Get("http://" + addr + "/readyz"); err == nil {
			_ = r.Body.Close()
			return addr
		}
	}
	t.Fatalf("the server does not answer\n%s", &out)
	return ""
}
