package pluginstore

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// ErrURL: a store URL that cannot be read.
var ErrURL = errors.New("pluginstore: wrong store URL")

// URL is a store URL, taken apart. It names a store and its settings in one
// string:
//
//	memory                        in this process, no plugin
//	file:./data?sync=always       the plugin harpia-store-file, target ./data
//	redis://127.0.0.1:6379/0      the plugin harpia-store-redis, the whole URL;
//	                              so are rediss://, redis+unix://, valkey://,
//	                              valkeys:// and valkey+unix://
//	./my-plugin?setting=value     the program ./my-plugin
//	plugin:memory                 the plugin, where a name alone means none
type URL struct {
	// Name is the plugin's name; empty if Path is given.
	Name string
	// Path is that of a program, which has a slash and no name before a colon.
	Path string
	// Target is what follows the name and its colon.
	Target string
	// Whole is the text up to the "?", without "plugin:", as it was given.
	Whole string
	// Settings are those after the "?".
	Settings url.Values
	// InProcess is true for "memory": the store needs no plugin.
	InProcess bool
}

var (
	nameOnly   = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	nameTarget = regexp.MustCompile(`^([a-z][a-z0-9-]+)(\+[a-z0-9]+)?:`)
)

// ParseURL takes a store URL apart. Its errors wrap ErrURL and show no
// password.
func ParseURL(text string) (URL, error) {
	rest, plugin := strings.CutPrefix(text, "plugin:")
	whole, query, _ := strings.Cut(rest, "?")
	u := URL{Whole: whole}
	var err error
	u.Settings, err = url.ParseQuery(query)
	m := nameTarget.FindStringSubmatch(whole)
	if m != nil {
		u.Target = whole[len(m[0]):]
	}
	for _, path := range []string{u.Target, whole} {
		if path == "~" || strings.HasPrefix(path, "~") && strings.Contains(path, "/") {
			return URL{}, fmt.Errorf("%w %q: only a shell knows what ~ is, and here it has not seen it: write $HOME or the path in full; what is called so is ./~", ErrURL, u)
		}
	}
	// The "?" may be a password's: nothing of it is shown.
	switch {
	case err != nil || !assigns(query):
		return URL{}, fmt.Errorf("%w %q: what follows the \"?\" must be setting=value&…", ErrURL, u.scheme())
	case strings.HasPrefix(u.Target, "//") && strings.Contains(query, "@"):
		return URL{}, fmt.Errorf("%w %q: an \"@\" after the \"?\" is written %%40, and a \"?\" in a password %%3F", ErrURL, u.scheme())
	}
	switch {
	case m != nil:
		u.Name = pluginFor(m[1], m[2], u.Target)
	case strings.Contains(whole, "/") && !strings.Contains(whole, "://"):
		u.Path = whole
	case nameOnly.MatchString(whole):
		u.Name = whole
	default:
		return URL{}, fmt.Errorf("%w %q: it is a NAME such as memory, NAME:TARGET such as file:./data, or the path of a plugin such as ./my-plugin", ErrURL, u)
	}
	u.InProcess = u.Name == "memory" && !plugin
	if u.InProcess && u.Target != "" {
		return URL{}, fmt.Errorf("%w %q: memory has no target; settings follow a \"?\"", ErrURL, u)
	}
	return u, nil
}

// pluginFor returns the name of the plugin that a scheme stands for: its own,
// but for those that Redis and its like are reached by.
func pluginFor(name, transport, target string) string {
	if strings.HasPrefix(target, "//") {
		switch name + transport {
		case "rediss", "valkey", "valkeys", "valkey+unix":
			return "redis"
		}
	}
	return name
}

// assigns reports whether each part of the query has the form setting=value.
func assigns(query string) bool {
	for part := range strings.SplitSeq(query, "&") {
		if part != "" && !strings.Contains(part, "=") {
			return false
		}
	}
	return true
}

// scheme returns the URL without all that follows its first colon.
func (u URL) scheme() string {
	if i := strings.Index(u.Whole, ":"); i >= 0 {
		return u.Whole[:i+1] + "…"
	}
	return u.Whole
}

// String returns the URL without what may be secret: settings, and whatever is
// before the last "@" of what is no path.
func (u URL) String() string {
	colon, at := strings.Index(u.Whole, ":"), strings.LastIndex(u.Whole, "@")
	if u.Path != "" || at < 0 {
		return u.Whole
	}
	if strings.HasPrefix(u.Whole[colon+1:], "//") {
		colon += 2
	}
	return u.Whole[:colon+1] + "…" + u.Whole[at:]
}
