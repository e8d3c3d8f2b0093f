package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/shared"
)

// What the program's exit code tells.
const (
	exitDone = iota
	exitNotFound
	exitUsage
	exitStore
	exitConflict
	exitInterrupted = 130 // as a shell has it for SIGINT
)

var (
	// errUsage: the command line is wrong.
	errUsage = errors.New("wrong usage")
	// errNotFound: the key holds nothing.
	errNotFound = errors.New("not found")
)

// exits is the one table from errors to exit codes; what is not in it is a
// failure of the store.
var exits = [...]struct {
	err  error
	code int
}{
	{context.Canceled, exitInterrupted},
	{errNotFound, exitNotFound},
	{cache.ErrNotCounter, exitConflict},
	{errUsage, exitUsage},
	{pluginstore.ErrURL, exitUsage},
	{shared.ErrSetting, exitUsage},
	{cache.ErrInvalidKey, exitUsage},
	{cache.ErrInvalidTTL, exitUsage},
	{cache.ErrTooLarge, exitUsage},
}

func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	for _, e := range exits {
		if errors.Is(err, e.err) {
			return e.code
		}
	}
	return exitStore
}

// packages begin an error or a cause in it, and mean something to programmers
// only.
var packages = regexp.MustCompile(`(^|: |; )(?:(?:cache|pluginstore|shared): )+`)

// message is what the user reads of an error. Some of it may come from a
// plugin, so it is one line and cannot play tricks on a terminal.
func message(err error) string {
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ") // errors that were joined
	text = harmless(packages.ReplaceAllString(text, "$1"))
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	if errors.Is(err, errors.ErrUnsupported) {
		text += "; another store may do it: see host plugins describe"
	}
	return text
}

// harmless escapes what is not printable.
func harmless(text string) string {
	var out strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			out.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return out.String()
}

// escapeJSON escapes what is not printable in a JSON text, which only strings
// can have.
func escapeJSON(text []byte) string {
	var out strings.Builder
	for _, r := range string(text) {
		switch {
		case unicode.IsPrint(r):
			out.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		}
	}
	return out.String()
}
