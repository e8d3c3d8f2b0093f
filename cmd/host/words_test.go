package main

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestSplitWords(t *testing.T) {
	for line, want := range map[string][]string{
		"":                           nil,
		"  \t ":                      nil,
		"set k v":                    {"set", "k", "v"},
		`set 'a b' "c\td"`:           {"set", "a b", "c\td"},
		`set "" ''`:                  {"set", "", ""},
		`a"b"'c'd`:                   {"abcd"},
		`set k {"a":1}`:              {"set", "k", "{a:1}"},
		`set k '{"a": 1}'`:           {"set", "k", `{"a": 1}`},
		`get "\x00\xff\u00e9"`:       {"get", "\x00\xff\u00e9"},
		"get caf\u00e9 \u4e16\u754c": {"get", "caf\u00e9", "\u4e16\u754c"},
	} {
		if got, err := splitWords(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("splitWords(%q) = %q, %v; want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`"open`, `'open`, `"bad \q"`} {
		if got, err := splitWords(line); err == nil {
			t.Errorf("splitWords(%q) = %q", line, got)
		}
	}
}

func TestNumbersAreWords(t *testing.T) {
	root := (&app{}).root()
	for line, want := range map[string]string{
		"incr k -5":                  "incr -- k -5",
		"incr -5 k":                  "incr -- -5 k",
		"set -5 v":                   "set -- -5 v",
		"set k -1.5e3":               "set -- k -1.5e3",
		"incr k --ttl=1m -5":         "incr --ttl=1m -- k -5",
		"incr k -5 --ttl 1s":         "incr --ttl 1s -- k -5",
		"--json set k -.5":           "set --json -- k -.5",
		"set k --json -5":            "set --json -- k -5",
		"clear -5 --yes":             "clear --yes -- -5",
		"--store memory set -5 - -h": "set --store memory -h -- -5 -",
		"set -5 -- -x":               "set -- -5 -x",
		"set k v --ttl -5":           "set k v --ttl -5",
		"set k v --ttl -5s":          "set k v --ttl -5s",
		"set k -- -5":                "set k -- -5",
		"--store memory get -key":    "--store memory get -key",
		"bogus -5":                   "-- bogus -5",
	} {
		if got := strings.Join(numbersAreWords(root, strings.Fields(line)), " "); got != want {
			t.Errorf("%q became %q, want %q", line, got, want)
		}
	}
}

// What the shell prints for a key can be typed to name it.
func FuzzPrintableKeys(f *testing.F) {
	for _, key := range []string{"k", "with space", "quo'te", `quo"te`, "\x00\xff", "line\nbreak", "\x1b[2J", "é", `\`, "#c"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if key == "" {
			return
		}
		shown := printable(key)
		for _, r := range shown {
			if r < ' ' || r == 0x7f {
				t.Fatalf("%q is shown with a control character: %q", key, shown)
			}
		}
		typed := shown
		if !strings.HasPrefix(shown, `"`) && strings.ContainsAny(shown, " '\"") {
			typed = strconv.Quote(shown)
		}
		if words, err := splitWords("get " + typed); err != nil || len(words) != 2 || words[1] != key {
			t.Fatalf("%q is shown as %s and read as %q, %v", key, typed, words, err)
		}
	})
}
