package server

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// query holds the parameters that were given, each once.
type query map[string]string

// parameters reads the query. A parameter that the route does not take is
// refused: a misspelt ttl must not store a value for ever.
func parameters(r *http.Request, allowed ...string) (query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badQuery("the query cannot be read: " + err.Error())
	}
	q := make(query, len(values))
	for name, given := range values {
		if !slices.Contains(allowed, name) {
			can := "it takes none"
			if len(allowed) > 0 {
				can = "it takes " + strings.Join(allowed, " and ")
			}
			return nil, badQuery("this request has no parameter " + strconv.Quote(name) + "; " + can)
		}
		if len(given) > 1 {
			return nil, badQuery("the parameter " + name + " is given more than once")
		}
		q[name] = given[0]
	}
	return q, nil
}

// ttl is the option for the entry, or none.
func (q query) ttl() ([]cache.SetOption, error) {
	text, ok := q["ttl"]
	if !ok {
		return nil, nil
	}
	d, err := parseTTL(text)
	if err != nil {
		return nil, err
	}
	return []cache.SetOption{cache.TTL(d)}, nil
}

// parseTTL reads a time to live; 0 is never.
func parseTTL(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, badTTL("ttl must be a duration such as 500ms, 30s or 1h30m, or 0 for never: " + err.Error())
	case d < 0:
		return 0, badTTL("ttl is negative; 0 is never, and DELETE removes an entry")
	case d > 0 && d < time.Millisecond:
		// Cut to the millisecond it could be over before it began.
		return 0, badTTL("ttl is shorter than 1ms, the resolution of expiry")
	}
	return d, nil
}

// delta is 1 unless it is given.
func (q query) delta() (int64, error) {
	text, ok := q["delta"]
	if !ok {
		return 1, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, badDelta
	}
	return n, nil
}
