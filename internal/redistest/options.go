//go:build unix

package redistest

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Options say how a server is to be. The zero value is one without a password,
// at a free port.
type Options struct {
	// Password is the default user's. Empty: it needs none.
	Password string
	// Users are lines of an ACL: "alice on >secret ~* &* +@all". The line
	// "default off" leaves only them.
	Users []string
	// TLS makes the port one for TLS.
	TLS *Certificates
	// Config are further lines of configuration: "maxmemory 10mb".
	Config []string

	admin string // password of the user of this package; empty: a random one
}

// admin is the name of the user of this package.
const admin = "redistest"

// configuration is a file's text: in the arguments of a process anybody could
// read a secret.
func (o *Options) configuration(dir string, port int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("bind 127.0.0.1")
	line("dir %s", dir)
	line("unixsocket %s", filepath.Join(dir, socketName))
	line("unixsocketperm 700")
	line("daemonize no")
	if o.TLS == nil {
		line("port %d", port)
	} else {
		line("port 0")
		line("tls-port %d", port)
		line("tls-ca-cert-file %s", o.TLS.CA)
		line("tls-cert-file %s", o.TLS.Cert)
		line("tls-key-file %s", o.TLS.Key)
		line("tls-auth-clients no")
	}
	if o.Password != "" {
		line("requirepass %q", o.Password)
	}
	for _, user := range append(o.Users, admin+" on >"+o.admin+" ~* &* +@all") {
		line("user %s", user)
	}
	for _, text := range o.Config {
		line("%s", text)
	}
	return b.String()
}
