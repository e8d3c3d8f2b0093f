package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// redocly returns a command of the tool that tools/openapi.sh installs. It is to
// ask nobody but the host.
func redocly(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	tool, err := filepath.Abs("../../tools/openapi/node_modules/.bin/redocly")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(tool); err != nil {
		if os.Getenv("HARPIA_REQUIRE_ALL") == "1" {
			t.Fatal(err)
		}
		t.Skip("redocly is not installed; install it with: tools/openapi.sh")
	}
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "NO_COLOR=1")
	return cmd
}

// served is a directory with the document as a running host serves it, and the
// workflows that are run against it.
func served(t *testing.T, s *serving) (dir string, document []byte) {
	t.Helper()
	dir = t.TempDir()
	r, err := http.Get("http://" + s.addr + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if document, err = io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", r.StatusCode, err)
	}
	for _, name := range []string{"workflows.yaml", "redocly.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../tools/openapi", name))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name), text)
	}
	writeFile(t, filepath.Join(dir, "openapi.json"), document)
	return dir, document
}

func writeFile(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What a running host answers is what its OpenAPI document says, as a public
// tool understands both.
func TestHostIsAsItsDocumentSays(t *testing.T) {
	s := newPlace(t).serve(nil)
	dir, document := served(t, s)
	if out, err := redocly(t, dir, "lint", "--config", "redocly.yaml", "openapi.json").CombinedOutput(); err != nil {
		t.Errorf("the document: %v\n%s", err, out)
	}
	respect := func() ([]byte, error) {
		return redocly(t, dir, "respect", "workflows.yaml", "--server", "api=http://"+s.addr).CombinedOutput()
	}
	out, err := respect()
	if err != nil {
		t.Errorf("the host: %v\n%s", err, out)
	}
	if !regexp.MustCompile(`Steps: \d+ passed, \d+ total`).Match(out) {
		t.Errorf("no steps were counted:\n%s", out)
	}

	// Each operation is asked for.
	workflows, err := os.ReadFile(filepath.Join(dir, "workflows.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	asked := make(map[string]bool)
	for _, m := range regexp.MustCompile(`operationId: (\w+)`).FindAllSubmatch(workflows, -1) {
		asked[string(m[1])] = true
	}
	var d struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	for path, methods := range d.Paths {
		for method, raw := range methods {
			var op struct{ OperationID string }
			if json.Unmarshal(raw, &op) == nil && op.OperationID != "" && !asked[op.OperationID] {
				t.Errorf("no workflow asks for %s %s, %s", method, path, op.OperationID)
			}
		}
	}

	// A document that says otherwise is found out.
	for name, lie := range map[string][2]string{
		"a schema": {`"const": "about:blank"`, `"const": "about:nothing"`},
		"a status": {`"206": {`, `"299": {`},
		"a type":   {`"text/plain": {`, `"text/html": {`},
	} {
		wrong := strings.ReplaceAll(string(document), lie[0], lie[1])
		if wrong == string(document) {
			t.Fatalf("%s: the document has no %s", name, lie[0])
		}
		writeFile(t, filepath.Join(dir, "openapi.json"), []byte(wrong))
		if out, err := respect(); err == nil {
			t.Errorf("%s of the document is wrong, and nobody notices:\n%s", name, out)
		}
	}
	s.end()
}
