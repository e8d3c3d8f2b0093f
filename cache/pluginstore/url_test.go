package pluginstore_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

func TestParseURL(t *testing.T) {
	type want struct {
		name, path, target, setting string
		inProcess                   bool
	}
	for text, w := range map[string]want{
		"memory":                   {name: "memory", inProcess: true},
		"memory?max_entries=10":    {name: "memory", inProcess: true, setting: "10"},
		"plugin:memory":            {name: "memory"},
		"file:./data?sync=always":  {name: "file", target: "./data", setting: "always"},
		"file:/var/lib/cache":      {name: "file", target: "/var/lib/cache"},
		"file:a dir:with colons":   {name: "file", target: "a dir:with colons"},
		"redis://127.0.0.1:6379/0": {name: "redis", target: "//127.0.0.1:6379/0"},
		"rediss://h":               {name: "redis", target: "//h"},
		"redis+unix:///run/redis":  {name: "redis", target: "///run/redis"},
		"redis+unix://u:p@/run/r":  {name: "redis", target: "//u:p@/run/r"},
		"valkey://h?db=2":          {name: "redis", target: "//h", setting: "2"},
		"valkeys://h":              {name: "redis", target: "//h"},
		"valkey+unix:///run/r?x=1": {name: "redis", target: "///run/r", setting: "1"},
		"plugin:valkey://h":        {name: "redis", target: "//h"},
		"valkey":                   {name: "valkey"},
		"valkey:x":                 {name: "valkey", target: "x"},
		"./my-plugin?x=1":          {path: "./my-plugin", setting: "1"},
		"/opt/my-plugin":           {path: "/opt/my-plugin"},
		"bin/a:b":                  {path: "bin/a:b"},
	} {
		u, err := pluginstore.ParseURL(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		setting := ""
		for _, values := range u.Settings {
			setting = values[0]
		}
		if got := (want{u.Name, u.Path, u.Target, setting, u.InProcess}); got != w {
			t.Errorf("%s is %+v, want %+v", text, got, w)
		}
	}
	for _, text := range []string{"", "Memory", "memory:x", "a b", "?x=1", "file:d?%zz=1", "file:d?sync", "file:d?a=1&b", "plugin:", "Redis://h", "-x"} {
		if u, err := pluginstore.ParseURL(text); err == nil {
			t.Errorf("%q is %+v", text, u)
		}
	}
}

// The plugin gets the URL as it was given.
func TestParseURLKeepsTheScheme(t *testing.T) {
	for _, whole := range []string{"rediss://u:p%40@h:1/2", "valkeys://u:p@h", "valkey+unix://u:p@/run/v.sock"} {
		u, err := pluginstore.ParseURL("plugin:" + whole + "?timeout=1s")
		if err != nil || u.Whole != whole {
			t.Errorf("%s is %q, %v", whole, u.Whole, err)
		}
	}
}

// A "?" in a password that is not escaped ends the URL for its reader, and must
// not bring the password to light.
func TestParseURLShowsNoPassword(t *testing.T) {
	for _, text := range []string{
		"redis://u:secret?word@h/0", "Redis://u:pass?secret@h/0", "redis://u:secret?%zz@h",
		"redis://u:secret?a=b@h", "valkey+unix://u:secret?a=b@/run/v", "redis://h?password=secret@",
	} {
		if u, err := pluginstore.ParseURL(text); !errors.Is(err, pluginstore.ErrURL) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s is %+v, %v", text, u, err)
		}
	}
	for text, want := range map[string]string{
		"redis://u:a@secret@h:1/2":            "redis://…@h:1/2",
		"rediss://:p%40secret%2F@h":           "rediss://…@h",
		"valkey://u:sec/secret@h/0?x=1":       "valkey://…@h/0",
		"redis+unix://u:secret@/run/r.sock":   "redis+unix://…@/run/r.sock",
		"redis+unix:///run/r.sock?password=x": "redis+unix:///run/r.sock",
	} {
		if u, err := pluginstore.ParseURL(text); err != nil || u.String() != want {
			t.Errorf("%s is shown as %q, %v; want %q", text, u, err, want)
		}
	}
}

// Whatever a password is made of, and however it is escaped, no part of it is
// shown: neither of a URL that can be read nor by the error of one that cannot.
func FuzzURLShowsNoPassword(f *testing.F) {
	for _, password := range []string{"", "a@b", "a?b", "a?b=c", "?a=b&c", "a/b", "a:b#", "%zz", "\x00ü@@?%", "%40"} {
		f.Add(password)
	}
	f.Fuzz(func(t *testing.T, password string) {
		const mark = "s3cr3t"
		password = mark + password + mark
		for _, format := range []string{
			"redis://user:%s@h:1/0", "rediss://:%s@h", "redis+unix://u:%s@/run/r.sock", "valkey://:%s@h?timeout=1s", "valkeys://h?password=%s",
		} {
			for _, written := range []string{password, url.PathEscape(password), url.QueryEscape(password)} {
				text := fmt.Sprintf(format, written)
				u, err := pluginstore.ParseURL(text)
				shown := u.String()
				if err != nil {
					shown = err.Error()
				} else if u.Name != "redis" || u.Path != "" {
					t.Errorf("%q is %#v", text, u)
				}
				if strings.Contains(shown, mark) {
					t.Errorf("%q is shown as %q", text, shown)
				}
			}
		}
	})
}

func FuzzParseURL(f *testing.F) {
	for _, text := range []string{"memory", "file:./data?sync=always", "redis://u:p@h/0?password=x", "./p?a=1&a=2", "plugin:x:y", "://@", ":@", "a:@"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := pluginstore.ParseURL(text)
		if err != nil {
			return
		}
		if (u.Name == "") == (u.Path == "") {
			t.Errorf("%q has both a name and a path, or neither: %+v", text, u)
		}
		shown := u.String()
		if before, secret, ok := strings.Cut(u.Whole, "@"); ok && u.Path == "" && strings.Contains(before, ":") {
			_, hidden, _ := strings.Cut(before, ":")
			if hidden = strings.TrimPrefix(hidden, "//"); len(hidden) > 3 && strings.Contains(shown, hidden+"@"+secret) {
				t.Errorf("%q is shown as %q", text, shown)
			}
		}
		if strings.Contains(shown, "?") {
			t.Errorf("%q is shown with its settings: %q", text, shown)
		}
	})
}
