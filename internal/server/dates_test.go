package server

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// An expiry that cannot be written as a date is not shown. Stores may hold one:
// others write to them too.
func TestExpiryThatCannotBeWritten(t *testing.T) {
	for _, c := range []struct {
		expires time.Time
		precise string
	}{
		{time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC), "9999-12-31T23:59:59.999Z"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), ""},
		// In UTC it is another year.
		{time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)), ""},
		{time.Date(10000, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600)), "9999-12-31T23:30:00.000Z"},
		{time.UnixMilli(1<<63 - 1), ""},
	} {
		fake := newFake(t)
		fake.get = func(context.Context, string) (cache.Entry, bool, error) {
			return cache.Entry{Value: []byte("v"), Expires: c.expires}, true, nil
		}
		fake.increment = func(context.Context) (int64, time.Time, error) { return 1, c.expires, nil }
		s := listen(t, newHTTP(t, fake, Options{}))
		coarse, member := "", "null"
		if c.precise != "" {
			coarse, member = c.expires.UTC().Format(http.TimeFormat), `"`+c.precise+`"`
		}
		for _, header := range [][]string{nil, {"Range", "bytes=0-0"}, {"If-None-Match", "*"}} {
			r := s.do("GET", "/v1/cache/k", "", header...)
			if r.header.Get("Harpia-Expires") != c.precise || r.header.Get("Expires") != coarse || r.status >= 400 {
				t.Errorf("%v: status %d, Harpia-Expires %q, Expires %q", c.expires, r.status, r.header.Get("Harpia-Expires"), r.header.Get("Expires"))
			}
		}
		s.do("POST", "/v1/cache/k/increment", "").is(200).has(`{"value":1,"expires":` + member + "}\n")
	}
}
