package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/harpia-go/harpia/internal/version"
	"github.com/harpia-go/harpia/shared"
)

// mode is how the servers belong together.
type mode string

const (
	detect     mode = ""
	standalone mode = "standalone"
	sentinel   mode = "sentinel"
	cluster    mode = "cluster"
)

// Describe names the store and documents its settings. Others change what is
// in Redis too, so it is not exclusive.
func (s *Store) Describe() shared.Description {
	return shared.Description{
		Name:    "redis",
		Version: version.Number,
		Settings: []shared.Setting{
			{Name: "url", Source: shared.FromURL, Secret: true,
				Help: "The server: redis://[user[:password]@]host[:port][/db], rediss:// for TLS, or redis+unix://[user:password@]/path/of/socket; default: " + defaultAddress + "."},
			{Name: "address", Repeated: true,
				Help: "One more host:port: of a cluster's nodes and of sentinels each knows the others, and any that answers is enough."},
			{Name: "username", Help: "The user of the server's access control list; default: the user named default."},
			{Name: "password", Secret: true, Help: "The user's password."},
			{Name: "password_file", Help: "A file that holds the password; it is read for each new connection, so that the password can be changed."},
			{Name: "db", Type: shared.Int, Default: "0", Help: "The number of the database; a cluster has only 0."},
			{Name: "tls_ca", Help: "A PEM file of the authorities that may have signed the server's certificate; default: the system's."},
			{Name: "tls_cert", Help: "A PEM file with the certificate to show to the server."},
			{Name: "tls_key", Help: "A PEM file with the key of tls_cert."},
			{Name: "mode", Choices: []string{string(standalone), string(sentinel), string(cluster)},
				Help: "What the addresses are of: a server, sentinels or nodes of a cluster; default: what they say of themselves."},
			{Name: "sentinel_master", Help: "The name under which the sentinels know the primary; default: the only one that they watch."},
			{Name: "prefix", Help: "What every key in Redis begins with, and no key of the cache shows."},
			{Name: "timeout", Type: shared.Duration, Default: "1s",
				Help: "How long one call may take, connecting included; a second is added for each 16 MiB that it carries."},
			{Name: "client_name", Default: "harpia", Help: "The name of the connections in the server's CLIENT LIST."},
		},
	}
}

// config is the settings as values.
type config struct {
	target
	mode         mode
	password     string
	passwordFile string
	tls          tlsFiles
	master       string
	prefix       string
	timeout      time.Duration
	clientName   string
	sending      func() // see Store.OnSend; nil: nobody asks
}

func readConfig(set shared.Settings) (config, error) {
	t, err := parseURL(set.String("url"))
	if err != nil {
		return config{}, err
	}
	c := config{
		target:       t,
		mode:         mode(set.String("mode")),
		passwordFile: set.String("password_file"),
		tls:          tlsFiles{ca: set.String("tls_ca"), cert: set.String("tls_cert"), key: set.String("tls_key")},
		master:       set.String("sentinel_master"),
		prefix:       set.String("prefix"),
		timeout:      set.Duration("timeout"),
		clientName:   set.String("client_name"),
	}
	for _, check := range []func(shared.Settings) error{c.readAddresses, c.readUser, c.readDB, c.readTLS, c.readRest} {
		if err := check(set); err != nil {
			return config{}, err
		}
	}
	return c, nil
}

func (c *config) readAddresses(set shared.Settings) error {
	given := set.Strings("address")
	if c.network == "unix" && len(given) > 0 {
		return wrongSetting("address: the URL names a socket, which is one server: leave one of them out")
	}
	for _, a := range given {
		a, err := address(a)
		if err != nil {
			return wrongSetting("address: %q is no host:port", a)
		}
		if !slices.Contains(c.addresses, a) {
			c.addresses = append(c.addresses, a)
		}
	}
	if len(c.addresses) == 0 {
		c.addresses = []string{defaultAddress}
	}
	return nil
}

func (c *config) readUser(set shared.Settings) error {
	if set.Has("username") {
		if c.username != "" {
			return wrongSetting("username: the URL has one too: leave one of them out")
		}
		c.username = set.String("username")
	}
	passwords := 0
	for _, given := range []bool{c.urlPassword != "", set.Has("password"), set.Has("password_file")} {
		if given {
			passwords++
		}
	}
	if passwords > 1 {
		return wrongSetting("password: it is given more than once: leave all but one of the URL's, password and password_file out")
	}
	c.password = c.urlPassword + set.String("password")
	_, err := c.currentPassword()
	return err
}

func (c *config) readDB(set shared.Settings) error {
	db := set.Int("db")
	switch {
	case db < 0 || db > 1<<20:
		return wrongSetting("db must be the number of a database, not %d", db)
	case c.db != 0 && db != 0 && int64(c.db) != db:
		return wrongSetting("db: the URL has another one: leave one of them out")
	case db != 0:
		c.db = int(db)
	}
	return nil
}

func (c *config) readTLS(shared.Settings) error {
	if c.tls == (tlsFiles{}) {
		return nil
	}
	switch {
	case c.network == "unix":
		return wrongSetting("tls_ca, tls_cert and tls_key are for TCP: a socket in the file system has no TLS")
	case c.scheme == schemePlain:
		return wrongSetting("tls_ca, tls_cert and tls_key are for TLS: begin the URL with rediss://")
	case (c.tls.cert == "") != (c.tls.key == ""):
		return wrongSetting("tls_cert and tls_key belong together: give both or none")
	}
	c.secure = true
	_, err := c.tls.load()
	return err
}

func (c *config) readRest(shared.Settings) error {
	switch {
	case c.timeout < time.Millisecond:
		return wrongSetting("timeout must be at least 1ms, not %s", c.timeout)
	case strings.ContainsFunc(c.clientName, func(r rune) bool { return r <= ' ' || r > '~' }):
		return wrongSetting("client_name may not hold spaces or letters beyond ASCII: %q", c.clientName)
	case c.master != "" && c.mode != detect && c.mode != sentinel:
		return wrongSetting("sentinel_master is for mode=sentinel, not for mode=%s", c.mode)
	case c.mode == cluster && c.db != 0:
		return wrongSetting("db: a cluster has only the database 0")
	}
	return nil
}

// currentPassword reads the password where it is kept now.
func (c *config) currentPassword() (string, error) {
	if c.passwordFile == "" {
		return c.password, nil
	}
	text, err := os.ReadFile(c.passwordFile)
	if err != nil {
		return "", wrongSetting("password_file: %v", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

// address returns host:port of a text whose port may be missing.
func address(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		// A name, or an address of IP version 6 with or without brackets.
		host, port = strings.Trim(text, "[]"), defaultPort
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return text, err
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return text, fmt.Errorf("no host and port")
	}
	return net.JoinHostPort(host, port), nil
}

// wrongSetting is an error that another setting would mend.
func wrongSetting(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{shared.ErrSetting}, args...)...)
}
