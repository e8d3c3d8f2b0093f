package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/rueidis"
)

// message is what a server says in one piece, which kind begins as in the
// protocol: '+' a text, '-' an error.
func message(t *testing.T, kind byte, text string) rueidis.RedisMessage {
	t.Helper()
	var m rueidis.RedisMessage
	// As a client's own cache keeps it: an expiry, the kind, the length, the text.
	kept := fmt.Sprintf("%7s%c\x00\x00\x00\x00\x00\x00%c%c%s", "", kind, len(text)>>8, len(text), text)
	if err := m.CacheUnmarshalView([]byte(kept)); err != nil {
		t.Fatal(err)
	}
	return m
}

// answered is the error that a server answers with.
func answered(t *testing.T, text string) error {
	t.Helper()
	m := message(t, '-', text)
	err := m.Error()
	if err == nil || err.Error() != strings.TrimPrefix(text, "ERR ") {
		t.Fatalf("the error %q became %v", text, err)
	}
	return err
}
