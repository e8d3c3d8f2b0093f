package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/harpia-go/harpia/cache"
)

// problem is an error as the client sees it: RFC 9457 with the extension
// "code", which programs may rely on where two problems share a status.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`

	header [2]string // one field and its value, or none
}

func (p *problem) Error() string { return "server: " + p.Code + ": " + p.Detail }

func newProblem(status int, code, detail string) *problem {
	p := &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
	if status == http.StatusServiceUnavailable {
		p.header = [2]string{"Retry-After", retryAfter}
	}
	return p
}

// retryAfter is in seconds: a plugin is restarted within one, mostly.
const retryAfter = "1"

// rows say how the cache's errors look to a client. The first that fits is
// taken: an outage that also ran into a deadline is an outage.
var rows = [...]struct {
	err    error
	status int
	code   string
	remedy string
}{
	{cache.ErrInvalidKey, http.StatusBadRequest, "invalid_key",
		"a key is 1 to " + strconv.Itoa(cache.MaxKey) + " bytes, percent-encoded"},
	{cache.ErrInvalidTTL, http.StatusBadRequest, "invalid_ttl",
		"write it as 500ms, 30s or 1h30m, or 0 for never"},
	{cache.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large",
		"split the value, or serve a store with a higher limit"},
	{cache.ErrNotCounter, http.StatusConflict, "not_counter",
		"DELETE the key to count from 0, or PUT a decimal number"},
	{errors.ErrUnsupported, http.StatusNotImplemented, "unsupported",
		"serve a store that can do this"},
	{cache.ErrUnavailable, http.StatusServiceUnavailable, "unavailable",
		"try again; whether a write took effect is unknown"},
	{cache.ErrClosed, http.StatusServiceUnavailable, "closed",
		"the server is ending: try again when it has been restarted"},
	{context.DeadlineExceeded, http.StatusGatewayTimeout, "timeout",
		"the store did not answer in time; whether a write took effect is unknown"},
	{context.Canceled, http.StatusServiceUnavailable, "cancelled",
		"the request was cut off; whether a write took effect is unknown"},
}

// packages begin an error or a cause in it, and mean something to programmers
// only.
var packages = regexp.MustCompile(`(^|: |; )(?:(?:cache|pluginstore|shared): )+`)

// problemOf shows the text of those errors whose meaning is known. What else a
// store reports may hold anything, values too, and goes to the log alone.
func problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	for _, row := range rows {
		if errors.Is(err, row.err) {
			return newProblem(row.status, row.code, packages.ReplaceAllString(err.Error(), "$1")+"; "+row.remedy)
		}
	}
	return newProblem(http.StatusInternalServerError, "internal", "the store failed: the server's log tells why")
}

func (w *response) problem(p *problem) {
	w.failed = true
	if p.header[0] != "" {
		w.Header().Set(p.header[0], p.header[1])
	}
	// A client that takes no answer has had its answer.
	_ = w.json(p.Status, "application/problem+json", p)
}

// The problems that arise before the cache is asked.
var (
	notFound = newProblem(http.StatusNotFound, "not_found",
		"the key holds no entry")
	noSuchPath = newProblem(http.StatusNotFound, "no_such_path",
		"there is /v1/cache/{key}, /v1/cache/{key}/increment, /v1/keys, /v1/mget, /v1/mset, /v1/mdelete, /healthz, /readyz and /openapi.json, which describes them")
	rawSlash = newProblem(http.StatusBadRequest, "invalid_path",
		"a key is one segment of the path: write a slash in it as %2F")
	needsChunks = newProblem(http.StatusHTTPVersionNotSupported, "http_version",
		"this answer needs HTTP/1.1, so that a broken one can be told from a whole one")
	badDelta = newProblem(http.StatusBadRequest, "invalid_delta",
		"delta must be a decimal number of 64 bits, such as 1 or -5")
	errBusy = newProblem(http.StatusServiceUnavailable, "busy",
		"the server holds as many large values as it may for other clients; try again")
	errSlowBody = withHeader(newProblem(http.StatusRequestTimeout, "slow_body",
		"the body came too slowly; nothing was stored"), "Connection", "close")
)

func withHeader(p *problem, name, value string) *problem {
	p.header = [2]string{name, value}
	return p
}

// badFraming ends the connection: where the next request begins is not certain.
func badFraming(detail string) *problem {
	return withHeader(newProblem(http.StatusBadRequest, "bad_request", detail), "Connection", "close")
}

var errPercent = errors.New("a percent sign is not followed by two hexadecimal digits")

func badPath(err error) *problem {
	return newProblem(http.StatusBadRequest, "invalid_path", "the key is not percent-encoded: "+err.Error())
}

func badQuery(detail string) *problem {
	return newProblem(http.StatusBadRequest, "invalid_query", detail)
}

func badTTL(detail string) *problem {
	return newProblem(http.StatusBadRequest, "invalid_ttl", detail)
}

func brokenBody(err error) *problem {
	return withHeader(newProblem(http.StatusBadRequest, "broken_body",
		"the body did not arrive whole ("+err.Error()+"); nothing was stored"), "Connection", "close")
}

func methodNotAllowed(method string, rt route) *problem {
	detail := fmt.Sprintf("%s takes %s, not %s", rt.pattern, rt.methods.names(), method)
	if strings.HasSuffix(rt.pattern, "/increment") {
		detail += "; if the key itself ends in /increment, write its slashes as %2F"
	}
	return withHeader(newProblem(http.StatusMethodNotAllowed, "method_not_allowed", detail), "Allow", rt.methods.names())
}

func crossOrigin(err error) *problem {
	return newProblem(http.StatusForbidden, "cross_origin",
		"web pages of other sites may not change the cache: "+err.Error())
}

func wrongHost(name string) *problem {
	return newProblem(http.StatusMisdirectedRequest, "wrong_host",
		fmt.Sprintf("this server is not known as %q: call it as localhost or by its IP address, and let a proxy in front of it set Host so", name))
}
