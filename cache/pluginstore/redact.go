package pluginstore

import (
	"cmp"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/harpia-go/harpia/shared"
)

// secrets are the values that a plugin was given and nobody is to read. A
// plugin may quote them all the same, in the error of a library that was handed
// an URL for instance: what it says is shown without them. Nil has none.
type secrets struct {
	words *strings.Replacer
	// names are those of the plugin's settings, one of which is a secret as well, or
	// has it in it. In what is said of the settings they are not hidden: "set … or
	// …_file" helps nobody. Nil: there is none.
	names *regexp.Regexp
}

// minSecret is the length of the shortest value that is hidden. What is shorter
// is part of ordinary words, and guessed as fast as read.
const minSecret = 4

// secretsOf finds the secrets among what a plugin is given: the values of the
// settings that it has declared so, and the password of an URL.
func secretsOf(declared []shared.Setting, given []shared.SettingValue) *secrets {
	var words []string
	for _, g := range given {
		i := slices.IndexFunc(declared, func(d shared.Setting) bool { return d.Name == g.Name })
		switch {
		case i < 0:
		case declared[i].Source == shared.FromURL:
			password := passwordOf(g.Value)
			words = append(words, spellings(password)...)
			if plain, err := url.PathUnescape(password); err == nil {
				words = append(words, spellings(plain)...)
			}
		case declared[i].Secret:
			words = append(words, spellings(g.Value)...)
		}
	}
	if len(words) == 0 {
		return nil
	}
	// The longest first: another may be part of it.
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, w := range slices.Compact(words) {
		pairs = append(pairs, w, "…")
	}
	s := &secrets{words: strings.NewReplacer(pairs...)}
	var names []string
	for _, d := range declared {
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(d.Name, w) }) {
			names = append(names, regexp.QuoteMeta(d.Name))
		}
	}
	if len(names) > 0 {
		// A name in prose: where a value could stand it is hidden as one.
		s.names = regexp.MustCompile(`(^|[\s,;(])(` + strings.Join(names, "|") + `)($|\s|[,;.:)]($|\s))`)
	}
	return s
}

// passwordOf returns the password of an URL as it is written there.
func passwordOf(text string) string {
	_, rest, _ := strings.Cut(text, "//")
	user := rest[:max(strings.LastIndex(rest, "@"), 0)]
	_, password, _ := strings.Cut(user, ":")
	return password
}

// spellings returns the forms in which programs write a secret.
func spellings(secret string) []string {
	if len(secret) < minSecret {
		return nil
	}
	quoted := strconv.Quote(secret)
	return []string{
		secret, quoted[1 : len(quoted)-1],
		url.PathEscape(secret), url.QueryEscape(secret), url.UserPassword("", secret).String()[1:],
	}
}

// hide returns text without the secrets.
func (s *secrets) hide(text string) string {
	switch {
	case s == nil:
		return text
	case s.names == nil:
		return s.words.Replace(text)
	}
	var out strings.Builder
	for {
		at := s.names.FindStringSubmatchIndex(text)
		if at == nil {
			out.WriteString(s.words.Replace(text))
			return out.String()
		}
		out.WriteString(s.words.Replace(text[:at[4]]))
		out.WriteString(text[at[4]:at[5]])
		text = text[at[5]:]
	}
}

// hideIn is hide for what a log record has in it.
func (s *secrets) hideIn(value any) any {
	switch v := value.(type) {
	case string:
		return s.hide(v)
	case []any:
		for i := range v {
			v[i] = s.hideIn(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = s.hideIn(v[k])
		}
	}
	return value
}

// hideError returns err, or if its text has a secret in it, one that has not.
func (s *secrets) hideError(err error) error {
	if s == nil || err == nil {
		return err
	}
	text := err.Error()
	if shown := s.hide(text); shown != text {
		return &redacted{text: shown, cause: err}
	}
	return err
}

// redacted is known to errors.Is by what its cause is. It does not unwrap, which
// would give the text away.
type redacted struct {
	text  string
	cause error
}

func (e *redacted) Error() string        { return e.text }
func (e *redacted) Is(target error) bool { return errors.Is(e.cause, target) }
