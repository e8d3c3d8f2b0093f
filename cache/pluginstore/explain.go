package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// ErrStart: the plugin was found and did not start. Such an error also wraps
// cache.ErrUnavailable.
var ErrStart = errors.New("pluginstore: plugin did not start")

// handshakeLine is CORE|VERSION|NETWORK|ADDRESS|PROTOCOL…
var handshakeLine = regexp.MustCompile(`^\d+\|(\d+)\|([^|]*)\|[^|]*(?:\|([^|]*))?`)

// explain says why a plugin did not start and what to do about it, from what
// the process itself showed; cause is what go-plugin made of it.
func explain(path string, p *process, timeout time.Duration, cause error) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w: %s %s", ErrStart, cache.ErrUnavailable, path, fmt.Sprintf(format, args...))
	}
	started, ended := p.state()
	if !started {
		switch {
		case errors.Is(cause, syscall.ENOEXEC):
			return fail("is not a program for this machine; build it for this system and processor")
		case errors.Is(cause, fs.ErrPermission):
			return fail("may not be executed (%v); check the permissions of the file and its directories", cause)
		case errors.Is(cause, fs.ErrNotExist):
			return fail("could not be executed: what runs it, the interpreter in its first line or a dynamic loader, is not on this machine")
		case errors.Is(cause, context.DeadlineExceeded):
			return fail("did not answer within %v", timeout)
		}
		return fail("could not be executed: %v", cause)
	}
	line := p.out.line()
	m := handshakeLine.FindStringSubmatch(line)
	switch {
	case line != "" && m == nil:
		return fail("printed %q to standard output before its handshake; a plugin keeps standard output for the handshake: print to standard error%s", shorten(line), p.said())
	case m != nil && m[1] != fmt.Sprint(shared.ProtocolVersion):
		return fail("speaks version %s of the store protocol and this host version %d; use a plugin and a host of the same generation", m[1], shared.ProtocolVersion)
	case m != nil && m[2] != "unix":
		return fail("listens on %q and a store plugin listens on a Unix socket in PLUGIN_UNIX_SOCKET_DIR", m[2])
	case m != nil && m[3] != "grpc":
		return fail("serves %q and a store plugin must serve grpc", m[3])
	case m == nil && ended:
		return fail("ended before its handshake: %s; is it a store plugin?%s", p.exit(), p.said())
	case m == nil && !errors.Is(cause, context.DeadlineExceeded):
		return fail("closed its standard output before its handshake; is it a store plugin?%s", p.said())
	case m == nil:
		return fail("did not answer within %v; is it a store plugin?%s", timeout, p.said())
	case ended:
		return fail("died while it started: %s%s", p.exit(), p.said())
	case strings.Contains(cause.Error(), "does not look like a TLS handshake"):
		// crypto/tls has no error to compare with once gRPC has wrapped it.
		return fail("does not use the TLS certificates that hosts and plugins exchange; let it use PLUGIN_CLIENT_CERT, or open it with Options.NoTLS")
	case errors.Is(cause, context.DeadlineExceeded):
		return fail("did not answer within %v%s", timeout, p.said())
	}
	return fail("failed: %v%s", cause, p.said())
}

// said quotes the last that the plugin wrote to standard error, on one line.
func (p *process) said() string {
	text := p.stderr.last()
	if text == "" {
		return ""
	}
	const most = 400
	if len(text) > most {
		text = "…" + strings.ToValidUTF8(text[len(text)-most:], "")
	}
	return "; its last words: " + strings.ReplaceAll(text, "\n", " | ")
}

func shorten(line string) string {
	const most = 200
	if len(line) > most {
		return strings.ToValidUTF8(line[:most], "") + "…"
	}
	return line
}
