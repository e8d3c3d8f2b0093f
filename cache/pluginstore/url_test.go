package pluginstore_test

import (
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
		"redis+unix:///run/redis":  {name: "redis", target: "///run/redis"},
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

// A "?" in a password that is not escaped ends the URL for its reader, and must
// not bring the password to light.
func TestParseURLShowsNoPassword(t *testing.T) {
	for _, text := range []string{"redis://u:secret?word@h/0", "Redis://u:pass?secret@h/0", "redis://u:secret?%zz@h"} {
		if u, err := pluginstore.ParseURL(text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s is %+v, %v", text, u, err)
		}
	}
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
