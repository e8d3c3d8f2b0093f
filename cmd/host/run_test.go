package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

// A signal ends a command that waits for standard input.
func TestSignalEndsWaitingForInput(t *testing.T) {
	for _, args := range [][]string{{"shell"}, {"set", "k", "-"}} {
		ctx, cancel := context.WithCancel(t.Context())
		stdin, typist := io.Pipe()
		code := make(chan int)
		go func() {
			var out, errOut bytes.Buffer
			code <- run(ctx, append([]string{"--store", "memory"}, args...), stdin, &out, &errOut)
		}()
		// What is read shows that the command is waiting for more.
		if _, err := typist.Write([]byte("set a b\n")); err != nil {
			t.Fatal(err)
		}
		cancel()
		if c := <-code; c == exitDone {
			t.Errorf("%v: exit code %d", args, c)
		}
		_ = typist.Close()
	}
}

func TestMessage(t *testing.T) {
	for want, err := range map[string]error{
		"store unavailable: stat /var/cache: not a directory": fmt.Errorf("pluginstore: %w: stat /var/cache: not a directory", cache.ErrUnavailable),
		`broken: \x1b[2J; second`:                             errors.New("broken: \x1b[2J\nsecond\n"),
		"no room; also not closed":                            errors.Join(errors.New("cache: no room"), errors.New("pluginstore: also not closed")),
		"bücher 世界":                                           errors.New("bücher 世界"),
	} {
		if got := message(err); got != want {
			t.Errorf("message(%q) = %q, want %q", err, got, want)
		}
	}
	if got := message(fmt.Errorf("x: %w", errors.ErrUnsupported)); !strings.Contains(got, "plugins describe") {
		t.Errorf("an operation that is not there: %q", got)
	}
}
