package server

import (
	"context"
	"testing"
)

func TestHealth(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("GET", "/healthz", "").is(200).has("ok\n")
	s.do("HEAD", "/healthz", "").is(200).has("")
	s.do("GET", "/healthz?from=probe", "").is(200)
}

func TestReadiness(t *testing.T) {
	for _, c := range []struct {
		status Status
		code   int
		body   string
	}{
		{Status{Ready: true, Store: "memory", State: "ready", Version: "1.2.3"}, 200,
			`{"ready":true,"store":"memory","state":"ready","version":"1.2.3"}`},
		{Status{Ready: true, Store: "file:./data", State: "degraded", Version: "1", Plugin: &Plugin{Name: "file", Version: "2", PID: 4711}, Error: "restarting"}, 200,
			`{"ready":true,"store":"file:./data","state":"degraded","version":"1","plugin":{"name":"file","version":"2","pid":4711},"error":"restarting"}`},
		{Status{Store: "file:./data", State: "failed", Version: "1", Error: "no such plugin"}, 503,
			`{"ready":false,"store":"file:./data","state":"failed","version":"1","error":"no such plugin"}`},
	} {
		s := listen(t, newHTTP(t, nil, Options{Status: func(context.Context) Status { return c.status }}))
		r := s.do("GET", "/readyz", "").is(c.code)
		r.has(c.body + "\n")
		if r.header.Get("Content-Type") != "application/json" || (r.header.Get("Retry-After") != "") != (c.code == 503) {
			t.Errorf("header %v", r.header)
		}
	}
}
