package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/server"
)

const (
	// statusTimeout bounds the whole of asking a server.
	statusTimeout = 5 * time.Second
	// maxStatus bounds its answer, which has a few hundred bytes.
	maxStatus = 64 << 10
)

func (a *app) pluginsStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell how the plugin of a running host is",
		Long: `Tell how the plugin of a running "host serve" is. The host is asked over HTTP,
GET /readyz at the address that its --http gave it; no proxy is used, and no
store is opened. Exit code 0: it serves calls, be it from memory; 3: it does
not, or nothing there answers as a host within 5 seconds.`,
		Args: cobra.NoArgs,
	}
	addr := cmd.Flags().String("http", defaultHTTP, "`ADDR` of the host, as HOST:PORT or :PORT")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		host, port, err := net.SplitHostPort(*addr)
		if err != nil || port == "" {
			return usage(cmd, fmt.Errorf("--http must be HOST:PORT or :PORT, not %q", *addr))
		}
		if host == "" {
			host = "127.0.0.1"
		}
		s, err := askStatus(cmd.Context(), net.JoinHostPort(host, port))
		if err != nil {
			return err
		}
		if a.json {
			err = a.printStatusJSON(s)
		} else {
			err = a.printStatus(s)
		}
		if err == nil && !s.Ready {
			err = fmt.Errorf("%w: the host at %s serves no calls", cache.ErrUnavailable, *addr)
		}
		return err
	}
	return cmd
}

// askStatus asks the server at addr. Nothing of its answer is trusted.
func askStatus(ctx context.Context, addr string) (server.Status, error) {
	limit, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	u := url.URL{Scheme: "http", Host: addr, Path: "/readyz"}
	req, err := http.NewRequestWithContext(limit, http.MethodGet, u.String(), nil)
	if err != nil {
		return server.Status{}, fmt.Errorf("%w: --http: %w", errUsage, err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req) // no redirects
	if err != nil {
		if ctx.Err() != nil {
			return server.Status{}, ctx.Err()
		}
		return server.Status{}, fmt.Errorf("nobody answers at %s (%w); does host serve run, and with this address as its --http?", addr, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxStatus+1))
	if err != nil {
		if ctx.Err() != nil {
			return server.Status{}, ctx.Err()
		}
		return server.Status{}, fmt.Errorf("the answer from %s broke off: %w", addr, err)
	}
	var s server.Status
	known := resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusServiceUnavailable
	if !known || len(text) > maxStatus || json.Unmarshal(text, &s) != nil || s.State == "" {
		return server.Status{}, fmt.Errorf("what answers at %s, with %s, is no host serve; is the address right?", addr, resp.Status)
	}
	s.Ready = s.Ready && resp.StatusCode == http.StatusOK
	return s, nil
}

// printStatusJSON writes what the server said. Text that is not printable
// stays what it is, and reaches the terminal as \u escapes only.
func (a *app) printStatusJSON(s server.Status) error {
	text, err := json.Marshal(s)
	if err == nil {
		_, err = fmt.Fprintln(a.stdout, escapeJSON(text))
	}
	return output(err)
}

// printStatus writes it for a person.
func (a *app) printStatus(s server.Status) error {
	out := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	line := func(name, text string) { fmt.Fprintf(out, "%s:\t%s\n", name, harmless(text)) }
	line("ready", yes(s.Ready))
	line("store", s.Store)
	line("state", s.State)
	line("since", s.Since.Format(time.RFC3339))
	line("generation", fmt.Sprint(s.Generation))
	line("restarts", fmt.Sprint(s.Restarts))
	line("fallback", yes(s.Fallback))
	if j := s.Journal; j != nil {
		text := fmt.Sprintf("%d keys, %d bytes", j.Entries, j.Bytes)
		if j.Dropped > 0 {
			text += fmt.Sprintf(", %d of them without their values", j.Dropped)
		}
		if j.Clear {
			text += ", and the store will be cleared"
		}
		line("journal", text)
	}
	if len(s.Quarantine) > 0 {
		line("quarantine", strings.Join(s.Quarantine, " "))
	}
	if p := s.Plugin; p != nil {
		line("plugin", fmt.Sprintf("%s %s, pid %d", p.Name, p.Version, p.PID))
	}
	if s.Error != "" {
		line("error", s.Error)
	}
	line("version", s.Version)
	return output(out.Flush())
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
