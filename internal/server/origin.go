package server

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

func hostSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[bareName(name)] = true
	}
	return set
}

// checkHost keeps web pages out. A page may make its own name resolve to
// 127.0.0.1; to the browser this server then is the page's own site, which it
// may read and write (DNS rebinding). The name in the Host header gives it
// away. An IP address cannot be rebound, and nobody else can have localhost.
func (h *HTTP) checkHost(r *http.Request) error {
	if len(h.hosts) == 0 && !overLoopback(r) {
		return nil
	}
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = bareName(name)
	if name == "" || name == "localhost" || h.hosts[name] {
		return nil // "": HTTP/1.0, not a browser
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return nil
	}
	return wrongHost(name)
}

func bareName(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

func overLoopback(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}
