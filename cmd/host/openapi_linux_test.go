package main

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// respect runs the workflows against a host, as a document describes it.
func respect(t *testing.T, dir string, s *serving) ([]byte, error) {
	t.Helper()
	return redocly(t, dir, "respect", "workflows.yaml", "--server", "api=http://"+s.addr).CombinedOutput()
}

// What a running host answers is what its OpenAPI document says, as a public
// tool understands both.
func TestHostIsAsItsDocumentSays(t *testing.T) {
	s := newPlace(t).serve(nil)
	defer s.end()
	dir, document := served(t, s)
	if out, err := redocly(t, dir, "lint", "--config", "redocly.yaml", "openapi.json").CombinedOutput(); err != nil {
		t.Errorf("the document: %v\n%s", err, out)
	}
	out, err := respect(t, dir, s)
	if err != nil {
		t.Errorf("the host: %v\n%s", err, out)
	}
	if !regexp.MustCompile(`Steps: \d+ passed, \d+ total`).Match(out) {
		t.Errorf("no steps were counted:\n%s", out)
	}
	workflows, err := os.ReadFile(filepath.Join(dir, "workflows.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, missing := range undescribed(t, workflows, document) {
		t.Error(missing)
	}
	lie := bytes.ReplaceAll(document, []byte(`"206": {`), []byte(`"299": {`))
	if len(undescribed(t, workflows, lie)) == 0 {
		t.Error("a document without the status of a part is as good")
	}
}

// A document that says otherwise than the host is found out, by the check that
// is meant for it.
func TestWrongDocumentIsFoundOut(t *testing.T) {
	for _, lie := range []struct{ of, says, instead, check string }{
		{"a schema", `"const": "about:blank"`, `"const": "about:nothing"`, "✗ schema check"},
		{"a type", `"text/plain": {`, `"text/html": {`, "✗ content-type check"},
	} {
		// A run that fails leaves its keys, at which the next one would fail.
		s := newPlace(t).serve(nil)
		dir, document := served(t, s)
		wrong := strings.ReplaceAll(string(document), lie.says, lie.instead)
		if wrong == string(document) {
			t.Fatalf("%s: the document has no %s", lie.of, lie.says)
		}
		writeFile(t, filepath.Join(dir, "openapi.json"), []byte(wrong))
		out, err := respect(t, dir, s)
		if err == nil || !bytes.Contains(out, []byte(lie.check)) {
			t.Errorf("%s of the document is wrong, and nobody notices: %v\n%s", lie.of, err, out)
		}
		s.end()
	}
}

// undescribed is what the workflows and the document do not say of each other:
// operations that no workflow asks for, and statuses that a workflow gets and
// the document has only as its default, which the tool takes for any status.
func undescribed(t *testing.T, workflows, document []byte) (missing []string) {
	t.Helper()
	var d struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	statuses := make(map[string]map[string]json.RawMessage)
	for path, methods := range d.Paths {
		for method, raw := range methods {
			var op struct {
				OperationID string
				Responses   map[string]json.RawMessage
			}
			if json.Unmarshal(raw, &op) != nil || op.OperationID == "" {
				continue
			}
			statuses[op.OperationID] = op.Responses
			if !bytes.Contains(workflows, []byte("operationId: "+op.OperationID+"\n")) {
				missing = append(missing, fmt.Sprintf("no workflow asks for %s %s, %s", method, path, op.OperationID))
			}
		}
	}
	var operation string
	for _, m := range regexp.MustCompile(`operationId: (\w+)|\$statusCode == (\d+)`).FindAllSubmatch(workflows, -1) {
		if len(m[1]) > 0 {
			operation = string(m[1])
		} else if statuses[operation][string(m[2])] == nil {
			missing = append(missing, fmt.Sprintf("the document has no %s of %s", m[2], operation))
		}
	}
	return missing
}
