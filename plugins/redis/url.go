package main

import (
	"net/url"
	"strconv"
	"strings"
)

const (
	defaultPort    = "6379"
	defaultAddress = "localhost:" + defaultPort

	schemePlain  = "redis"
	schemeSecure = "rediss"
	schemeUnix   = "redis+unix"
)

// target is what a URL names.
type target struct {
	scheme      string // empty: no URL was given
	network     string // "tcp" or "unix"
	addresses   []string
	secure      bool // TLS
	username    string
	urlPassword string
	db          int
}

// parseURL takes a URL apart. Its errors do not show it, since a password that
// was not escaped may be anywhere in it.
func parseURL(text string) (target, error) {
	t := target{network: "tcp"}
	if text == "" {
		return t, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return t, wrongSetting("url: it cannot be read: %s", whyNotURL(err))
	}
	if name, ok := strings.CutPrefix(u.Scheme, "valkey"); ok {
		u.Scheme = "redis" + name // the same servers by another name
	}
	t.scheme, t.secure = u.Scheme, u.Scheme == schemeSecure
	if u.User != nil {
		t.username = u.User.Username()
		t.urlPassword, _ = u.User.Password()
	}
	switch u.Scheme {
	case schemeUnix:
		return t.socket(u)
	case schemePlain, schemeSecure:
	default:
		return t, wrongSetting("url: it must begin with redis://, rediss:// or redis+unix://")
	}
	switch {
	case u.Opaque != "":
		return t, wrongSetting("url: two slashes must follow %s:", u.Scheme)
	case u.RawQuery != "" || u.Fragment != "":
		return t, wrongSetting("url: it ends with the database: a ? or # within the password is written %%3F or %%23")
	}
	if u.Host != "" {
		a, err := address(u.Host)
		if err != nil {
			return t, wrongSetting("url: it must be redis://[user[:password]@]host[:port][/db]")
		}
		t.addresses = []string{a}
	}
	if path := strings.Trim(u.Path, "/"); path != "" {
		if t.db, err = strconv.Atoi(path); err != nil || t.db < 0 {
			return t, wrongSetting("url: what follows the server must be the number of a database")
		}
	}
	return t, nil
}

func (t target) socket(u *url.URL) (target, error) {
	if u.Host != "" || len(u.Path) < 2 {
		return t, wrongSetting("url: it must be redis+unix:///path/of/socket")
	}
	t.network, t.addresses = "unix", []string{u.Path}
	return t, nil
}

// whyNotURL is the reason within an error of url.Parse, without the text.
func whyNotURL(err error) string {
	switch text := err.Error(); {
	case strings.Contains(text, "invalid port"):
		return "what follows the last colon is no port (a : or / within the password is written %3A or %2F)"
	case strings.Contains(text, "invalid userinfo"):
		return "the user or the password holds what must be escaped, as %40 for @"
	}
	return "it must be redis://[user[:password]@]host[:port][/db], and what is special in a password must be escaped, as %40 for @"
}
