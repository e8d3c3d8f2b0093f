package server

import (
	"context"
	"testing"
	"time"
)

func TestHealth(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("GET", "/healthz", "").is(200).has("ok\n")
	s.do("HEAD", "/healthz", "").is(200).has("")
	s.do("GET", "/healthz?from=probe", "").is(200)
}

func TestReadiness(t *testing.T) {
	since := time.Date(2026, 11, 22, 10, 3, 12, 181e6, time.UTC)
	for _, c := range []struct {
		status Status
		code   int
		body   string
	}{
		{Status{Ready: true, Store: "memory", State: "ready", Since: since, Version: "1.2.3"}, 200,
			`{"ready":true,"store":"memory","state":"ready","since":"2026-11-22T10:03:12.181Z","version":"1.2.3",` +
				`"generation":0,"restarts":0,"fallback":false}`},
		{Status{Ready: true, Store: "file:./data", State: "ready", Since: since, Version: "1", Generation: 3, Restarts: 1,
			Plugin: &Plugin{Name: "file", Version: "2", PID: 4711}, Error: "it was killed"}, 200,
			`{"ready":true,"store":"file:./data","state":"ready","since":"2026-11-22T10:03:12.181Z","version":"1",` +
				`"generation":3,"restarts":1,"fallback":false,"plugin":{"name":"file","version":"2","pid":4711},"error":"it was killed"}`},
		{Status{Ready: true, Store: "file:./data", State: "degraded", Since: since, Version: "1", Generation: 1, Fallback: true, Journal: &Journal{Entries: 2, Bytes: 30, Clear: true}, Error: "restarting"}, 200,
			`{"ready":true,"store":"file:./data","state":"degraded","since":"2026-11-22T10:03:12.181Z","version":"1",` +
				`"generation":1,"restarts":0,"fallback":true,"journal":{"entries":2,"bytes":30,"clear":true},"error":"restarting"}`},
		{Status{Store: "file:./data", State: "failed", Since: since, Version: "1", Generation: 5, Restarts: 4, Error: "no such plugin"}, 503,
			`{"ready":false,"store":"file:./data","state":"failed","since":"2026-11-22T10:03:12.181Z","version":"1",` +
				`"generation":5,"restarts":4,"fallback":false,"error":"no such plugin"}`},
	} {
		s := listen(t, newHTTP(t, nil, Options{Status: func(context.Context) Status { return c.status }}))
		r := s.do("GET", "/readyz", "").is(c.code)
		r.has(c.body + "\n")
		if r.header.Get("Content-Type") != "application/json" || (r.header.Get("Retry-After") != "") != (c.code == 503) {
			t.Errorf("header %v", r.header)
		}
	}
}
