package pluginstore

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// LockFile is the file name of a lock file: a text with one pin a line,
//
//	NAME VERSION GOOS/GOARCH sha256:HEX
//
// and comments after a "#" that begins a line.
const LockFile = "plugins.lock"

// Pin says that a program is trusted: the bytes with this digest, under this
// name, on this platform.
type Pin struct {
	// Name is the program's file name without "harpia-store-" and ".exe".
	Name string `json:"name"`
	// Version is what the plugin called itself when it was pinned; "-" if it
	// had none. It tells a reader what the digest was, and is not checked.
	Version string `json:"version"`
	// Platform is GOOS/GOARCH.
	Platform string `json:"platform"`
	// SHA256 is the digest in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
}

// thisPlatform is the one whose pins count here.
const thisPlatform = runtime.GOOS + "/" + runtime.GOARCH

var (
	// A pin's name is also part of a file's name; see program.
	pinName     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$`)
	pinVersion  = regexp.MustCompile(`^[A-Za-z0-9._+~:()-]{1,100}$`)
	pinPlatform = regexp.MustCompile(`^[a-z0-9]{1,20}/[a-z0-9]{1,20}$`)
	pinDigest   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	notVersion  = regexp.MustCompile(`[^A-Za-z0-9._+~:()-]+`)
)

// versionWord makes a pin's version of what a plugin calls its own, which may
// be anything.
func versionWord(version string) string {
	word := notVersion.ReplaceAllString(version, "_")
	if word == "" {
		return "-"
	}
	return word[:min(len(word), 100)]
}

// lockText is what a lock file holds.
type lockText struct {
	comments []string // with their "#"; all stand before the pins when written
	pins     []Pin
}

const lockComment = "# Plugins that may run here; written by: host plugins trust NAME|PATH"

// parseLock reads a lock file's text. Errors name file and line: a lock that
// is not understood must not be taken for one that pins less.
func parseLock(file string, text []byte) (lockText, error) {
	var l lockText
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		wrong := func(what string) error {
			return fmt.Errorf("pluginstore: %s:%d: %s; a line is: NAME VERSION GOOS/GOARCH sha256:HEX; correct or remove it, and pin the plugin again: host plugins trust NAME|PATH", file, n, what)
		}
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			l.comments = append(l.comments, line)
			continue
		}
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 4 {
			return lockText{}, wrong(fmt.Sprintf("it has %d words", len(words)))
		}
		hex, isSHA256 := strings.CutPrefix(words[3], "sha256:")
		p := Pin{Name: words[0], Version: words[1], Platform: words[2], SHA256: hex}
		if what := p.wrong(); what != "" {
			return lockText{}, wrong(what)
		}
		if !isSHA256 {
			return lockText{}, wrong(fmt.Sprintf("%q has no sha256:", words[3]))
		}
		if slices.ContainsFunc(l.pins, p.sameProgram) {
			return lockText{}, wrong(fmt.Sprintf("%s is pinned for %s already", p.Name, p.Platform))
		}
		l.pins = append(l.pins, p)
	}
	return l, nil
}

// wrong says what of the pin could not be read back from a lock file.
func (p Pin) wrong() string {
	for _, part := range []struct {
		what, text string
		form       *regexp.Regexp
	}{
		{"plugin name", p.Name, pinName},
		{"version", p.Version, pinVersion},
		{"platform", p.Platform, pinPlatform},
		{"SHA-256", p.SHA256, pinDigest},
	} {
		if !part.form.MatchString(part.text) {
			return fmt.Sprintf("%q is no %s", part.text, part.what)
		}
	}
	return ""
}

// sameProgram reports whether of the two pins only one can hold in one file.
func (p Pin) sameProgram(q Pin) bool { return p.Name == q.Name && p.Platform == q.Platform }

// put adds p, in place of the pin of the same program.
func (l *lockText) put(p Pin) {
	l.pins = append(slices.DeleteFunc(l.pins, p.sameProgram), p)
}

// format is the text of the lock file, its pins sorted.
func (l lockText) format() []byte {
	comments := l.comments
	if len(comments) == 0 {
		comments = []string{lockComment}
	}
	pins := slices.SortedFunc(slices.Values(l.pins), func(p, q Pin) int {
		return cmp.Or(cmp.Compare(p.Name, q.Name), cmp.Compare(p.Platform, q.Platform))
	})
	var out bytes.Buffer
	for _, c := range comments {
		fmt.Fprintln(&out, c)
	}
	for _, p := range pins {
		fmt.Fprintf(&out, "%s %s %s sha256:%s\n", p.Name, p.Version, p.Platform, p.SHA256)
	}
	return out.Bytes()
}
