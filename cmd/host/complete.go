package main

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"
)

// How much a completion may look at.
const (
	completeKeys    = 1000
	completeTimeout = 500 * time.Millisecond
)

// complete extends what is typed as far as it is certain: a command's name, or
// a key of the store. It reports whether there is anything to add.
func (a *app) complete(ctx context.Context, typed string) (string, bool) {
	cut := strings.LastIndexAny(typed, " \t") + 1
	before, word := typed[:cut], typed[cut:]
	var candidates []string
	if strings.TrimSpace(before) == "" {
		for _, cmd := range a.dataCommands() {
			candidates = append(candidates, cmd.Name())
		}
		candidates = append(candidates, "help", "exit")
	} else {
		candidates = a.someKeys(ctx, word)
	}
	common, n := "", 0
	for _, c := range candidates {
		if !strings.HasPrefix(c, word) || strings.ContainsAny(c, " \t'\"") {
			continue
		}
		if n++; n == 1 {
			common = c
		}
		for !strings.HasPrefix(c, common) || !utf8.ValidString(common) {
			common = common[:len(common)-1]
		}
	}
	switch {
	case n == 0:
		return typed, false
	case n == 1:
		return before + common + " ", true
	}
	return before + common, common != word
}

func (a *app) someKeys(ctx context.Context, prefix string) []string {
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	var keys []string
	for key, err := range a.cache.Keys(ctx, prefix) {
		if err != nil || len(keys) == completeKeys {
			break
		}
		if key == printable(key) {
			keys = append(keys, key)
		}
	}
	return keys
}
