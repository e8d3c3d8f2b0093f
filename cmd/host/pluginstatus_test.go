package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/harpia-go/harpia/internal/server"
)

// status runs "plugins status" against what h answers.
func status(t *testing.T, h http.HandlerFunc, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	return statusAt(t.Context(), strings.TrimPrefix(s.URL, "http://"), args...)
}

func statusAt(ctx context.Context, addr string, args ...string) (code int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	code = run(ctx, append([]string{"plugins", "status", "--http", addr}, args...), strings.NewReader(""), &out, &errOut)
	return code, out.String(), errOut.String()
}

func answer(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// What answers may be anything; it is not taken for a host, followed or shown.
func TestStatusOfStrangers(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"another server": answer(200, "<html>hello"),
		"other JSON":     answer(200, `{"ready":true}`),
		"an error":       answer(404, `{"ready":true,"state":"ready"}`),
		"too much":       answer(200, `{"ready":true,"state":"ready","error":"`+strings.Repeat("x", maxStatus)+`"}`),
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				t.Error("the redirect is followed")
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
		"broken off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"ready":true,"state":"ready"}`)
		},
	} {
		code, out, errOut := status(t, h)
		if code != exitStore || out != "" || !strings.Contains(errOut, "address") && !strings.Contains(errOut, "broke off") {
			t.Errorf("%s: exit code %d, prints %q and %q", name, code, out, errOut)
		}
	}
}

// However a host's text is made up, the terminal shows it and does not obey it.
func TestStatusIsHarmless(t *testing.T) {
	const evil = "\x1b[2J\x9b\u009b\u202e\x7f\r\nready: yes\U000e0001"
	s := server.Status{
		Store: "s" + evil, State: "x" + evil, Error: "e" + evil, Version: "v" + evil,
		Plugin: &server.Plugin{Name: "n" + evil, Version: "v" + evil, PID: 1},
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	odd := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	for _, args := range [][]string{nil, {"--json"}} {
		code, out, errOut := status(t, answer(503, string(text)), args...)
		if code != exitStore || strings.ContainsFunc(out+errOut, odd) || strings.Contains(out, "\nready: yes") {
			t.Errorf("%v: exit code %d, prints %q and %q", args, code, out, errOut)
		}
		if args == nil {
			continue
		}
		var same server.Status
		if err := json.Unmarshal([]byte(out), &same); err != nil || same.Store != strings.ToValidUTF8(s.Store, "\ufffd") {
			t.Errorf("the JSON is %s: %v, store %q", out, err, same.Store)
		}
	}
}

// The proxy of the environment is not asked, and a server that says nothing is
// given up.
func TestStatusAsksTheHostItself(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy is asked") }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	if code, _, errOut := statusAt(t.Context(), "host.invalid:80"); code != exitStore || !strings.Contains(errOut, "nobody answers at host.invalid:80") {
		t.Errorf("exit code %d, %s", code, errOut)
	}
	ctx, cancel := context.WithCancel(t.Context())
	code, _, errOut := 0, "", ""
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer s.Close()
	if code, _, errOut = statusAt(ctx, strings.TrimPrefix(s.URL, "http://")); code != exitInterrupted || !strings.Contains(errOut, "interrupted") {
		t.Errorf("exit code %d, %s", code, errOut)
	}
}

func TestStatusOnThisMachine(t *testing.T) {
	s := httptest.NewServer(answer(200, `{"ready":true,"state":"ready"}`))
	defer s.Close()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := statusAt(t.Context(), ":"+u.Port()); code != exitDone || !strings.HasPrefix(out, fmt.Sprintf("%-12s yes\n", "ready:")) {
		t.Errorf("exit code %d, prints %q and %q", code, out, errOut)
	}
}
