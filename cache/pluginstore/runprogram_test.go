//go:build unix

package pluginstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

func scriptProgram(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunProgram(t *testing.T) {
	t.Setenv("SECRET", "of the host")
	path := scriptProgram(t, `echo "$#: $1 $2$SECRET"; echo trouble >&2; exit 7`)
	run := func(o *pluginstore.Options) (stdout, stderr string, err error) {
		var out, errOut bytes.Buffer
		err = pluginstore.RunProgram(t.Context(), path, o, []string{"check", "a b"}, &out, &errOut)
		return out.String(), errOut.String(), err
	}
	if stdout, _, err := run(&pluginstore.Options{Locks: []string{}}); !errors.Is(err, pluginstore.ErrUntrusted) || stdout != "" {
		t.Errorf("a program that is not trusted: %v, and it says %q", err, stdout)
	}
	stdout, stderr, err := run(&pluginstore.Options{Insecure: []string{path}})
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || stdout != "2: check a b\n" || stderr != "trouble\n" {
		t.Errorf("it says %q and %q and ends with %v", stdout, stderr, err)
	}
	if err := pluginstore.RunProgram(t.Context(), "memory", nil, nil, io.Discard, io.Discard); !errors.Is(err, pluginstore.ErrURL) {
		t.Errorf("memory: %v, want it refused", err)
	}
}

// cancelOn cancels when it is written to.
type cancelOn struct {
	text   bytes.Buffer
	cancel context.CancelFunc
}

func (c *cancelOn) Write(b []byte) (int, error) {
	c.cancel()
	return c.text.Write(b)
}

// A program that is given up can clean up.
func TestRunProgramIsInterrupted(t *testing.T) {
	path := scriptProgram(t, `trap 'echo cleaned; exit 1' INT; echo ready; while :; do sleep 0.01; done`)
	ctx, cancel := context.WithCancel(t.Context())
	out := &cancelOn{cancel: cancel}
	err := pluginstore.RunProgram(ctx, path, &pluginstore.Options{Insecure: []string{path}}, nil, out, io.Discard)
	if err == nil || !strings.HasSuffix(out.text.String(), "cleaned\n") {
		t.Errorf("it says %q and ends with %v", out.text.String(), err)
	}
}
