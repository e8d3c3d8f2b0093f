package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/shared"
)

// read reads settings: names and values by turns.
func read(t *testing.T, settings ...string) (config, error) {
	t.Helper()
	var given []shared.SettingValue
	for pair := range slices.Chunk(settings, 2) {
		given = append(given, shared.SettingValue{Name: pair[0], Value: pair[1]})
	}
	set, err := shared.CheckSettings((&Store{}).Describe().Settings, given)
	if err != nil {
		return config{}, err
	}
	return readConfig(set)
}

func TestURL(t *testing.T) {
	for text, want := range map[string]target{
		"":                                   {network: "tcp"},
		"redis://":                           {scheme: "redis", network: "tcp"},
		"redis://h":                          {scheme: "redis", network: "tcp", addresses: []string{"h:6379"}},
		"redis://h:1234/":                    {scheme: "redis", network: "tcp", addresses: []string{"h:1234"}},
		"redis://h/7":                        {scheme: "redis", network: "tcp", addresses: []string{"h:6379"}, db: 7},
		"redis://[::1]:1234":                 {scheme: "redis", network: "tcp", addresses: []string{"[::1]:1234"}},
		"redis://[fe80::1]":                  {scheme: "redis", network: "tcp", addresses: []string{"[fe80::1]:6379"}},
		"redis://:pass@h":                    {scheme: "redis", network: "tcp", addresses: []string{"h:6379"}, urlPassword: "pass"},
		"redis://user@h":                     {scheme: "redis", network: "tcp", addresses: []string{"h:6379"}, username: "user"},
		"rediss://us%65r:p%40%2F%3F%23@h:1/": {scheme: "rediss", network: "tcp", addresses: []string{"h:1"}, secure: true, username: "user", urlPassword: "p@/?#"},
		"redis+unix:///run/redis/s":          {scheme: "redis+unix", network: "unix", addresses: []string{"/run/redis/s"}},
		"redis+unix://user:pass@/a%20socket": {scheme: "redis+unix", network: "unix", addresses: []string{"/a socket"}, username: "user", urlPassword: "pass"},
	} {
		got, err := parseURL(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got.scheme != want.scheme || got.network != want.network || !slices.Equal(got.addresses, want.addresses) || got.secure != want.secure ||
			got.username != want.username || got.urlPassword != want.urlPassword || got.db != want.db {
			t.Errorf("%s is\n%+v, want\n%+v", text, got, want)
		}
	}
}

// What is wrong with a URL is told without any part of it that may be secret.
func TestWrongURL(t *testing.T) {
	for _, text := range []string{
		"http://:hunter2@h", "h:6379", "redis:h", "redis:hunter2@h", "redis://u:hunter2/x@h", "redis://u:hunter2#x@h", "redis://u:x?hunter2@h",
		"redis://u:%zzhunter2@h", "redis://u:hunter2 @h", "redis://u:hunter2@h:0", "redis://u:hunter2@h:70000", "redis://u:hunter2@h:port",
		"redis://u:hunter2@:6379", "redis://u:hunter2@h/db", "redis://u:hunter2@h/-1", "redis://u:hunter2@h/1/2",
		"redis+unix://", "redis+unix:///", "redis+unix://hunter2/s", "redis+unix:hunter2",
	} {
		_, err := read(t, "url", text)
		if !errors.Is(err, shared.ErrSetting) || !strings.Contains(err.Error(), "url: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("from a file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want     string
		settings []string
	}{
		{"address", []string{"url", "redis+unix:///s", "address", "h:1"}},
		{"address", []string{"address", "h:port"}},
		{"address", []string{"address", "a:b:c"}},
		{"address", []string{"address", ""}},
		{"username", []string{"url", "redis://u@h", "username", "v"}},
		{"password", []string{"url", "redis://:p@h", "password", "q"}},
		{"password", []string{"url", "redis://:p@h", "password_file", file}},
		{"password", []string{"password", "p", "password_file", file}},
		{"password_file", []string{"password_file", file + ".not"}},
		{"db", []string{"db", "-1"}},
		{"db", []string{"url", "redis://h/1", "db", "2"}},
		{"tls_ca", []string{"url", "redis://h", "tls_ca", file}},
		{"tls_ca", []string{"url", "redis+unix:///s", "tls_ca", file}},
		{"tls_ca", []string{"url", "rediss://h", "tls_ca", file + ".not"}},
		{"no certificate", []string{"url", "rediss://h", "tls_ca", file}},
		{"tls_key", []string{"url", "rediss://h", "tls_cert", file}},
		{"tls_cert", []string{"url", "rediss://h", "tls_cert", file, "tls_key", file}},
		{"mode", []string{"mode", "many"}},
		{"sentinel_master", []string{"mode", "cluster", "sentinel_master", "m"}},
		{"timeout", []string{"timeout", "0s"}},
		{"client_name", []string{"client_name", "two words"}},
	} {
		if _, err := read(t, c.settings...); !errors.Is(err, shared.ErrSetting) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want a wrong setting that names %s", c.settings, err, c.want)
		}
	}

	c, err := read(t)
	if err != nil || !slices.Equal(c.addresses, []string{"localhost:6379"}) || c.secure || c.mode != detect || c.clientName != "harpia" {
		t.Errorf("without settings: %+v, %v", c, err)
	}
	c, err = read(t, "url", "rediss://a", "address", "b", "address", "[::1]:1", "address", "::2", "address", "a:6379",
		"password_file", file, "username", "u", "db", "3", "mode", "sentinel", "sentinel_master", "m")
	if err != nil || !slices.Equal(c.addresses, []string{"a:6379", "b:6379", "[::1]:1", "[::2]:6379"}) || !c.secure || c.username != "u" || c.db != 3 || c.mode != sentinel || c.master != "m" {
		t.Errorf("with settings: %+v, %v", c, err)
	}
	for _, want := range []string{"from a file", "and another"} {
		if got, err := c.currentPassword(); got != want || err != nil {
			t.Errorf("the password is %q, %v, want %q", got, err, want)
		}
		if err := os.WriteFile(file, []byte("and another"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Secrets are declared as such.
func TestSecretSettings(t *testing.T) {
	for _, s := range (&Store{}).Describe().Settings {
		secret := s.Name == "url" || s.Name == "password"
		if s.Secret != secret {
			t.Errorf("%s is secret: %v", s.Name, s.Secret)
		}
	}
}

func TestServerName(t *testing.T) {
	given := []string{"192.0.2.1:6379", "redis.example:6379", "other.example:6379"}
	for address, want := range map[string]string{
		"redis.example:6379": "redis.example",
		"node.example:1":     "node.example",
		"192.0.2.1:6379":     "192.0.2.1",
		"192.0.2.2:6379":     "redis.example",
		"[2001:db8::1]:6379": "redis.example",
	} {
		if got := serverName(address, given); got != want {
			t.Errorf("%s must be called %s, and not %s", address, want, got)
		}
	}
	if got := serverName("192.0.2.2:6379", given[:1]); got != "192.0.2.2" {
		t.Errorf("without a name it must be called 192.0.2.2, and not %s", got)
	}
}
