package main

import (
	"regexp"
	"strings"
)

var negative = regexp.MustCompile(`^-\d+$`)

// negativesLast lets a negative number be the last argument: cobra would take
// it for a flag, unless it comes after a "--".
func negativesLast(args []string) []string {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if !negative.MatchString(arg) || i > 0 && wantsValue(args[i-1]) || argument(args[i+1:]) {
			continue
		}
		rest := append(append([]string{}, args[:i]...), args[i+1:]...)
		return append(rest, "--", arg)
	}
	return args
}

// wantsValue reports whether the next word may be the value of this one. All
// flags that numbers could stand behind have one.
func wantsValue(arg string) bool {
	return strings.HasPrefix(arg, "--") && !strings.Contains(arg, "=")
}

// argument reports whether one of the words is neither a flag nor its value.
func argument(words []string) bool {
	for i, w := range words {
		if !strings.HasPrefix(w, "-") && (i == 0 || !wantsValue(words[i-1])) {
			return true
		}
	}
	return false
}
