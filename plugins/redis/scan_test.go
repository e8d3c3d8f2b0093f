package main

import (
	"fmt"
	"testing"
)

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"":                "",
		"user:1":          "user:1",
		"a*b?c[d-e]^f\\g": `a\*b\?c\[d-e\]\^f\\g`,
		"\xff*\x00":       "\xff\\*\x00",
	} {
		if got := escape(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestSeen(t *testing.T) {
	s := newSeen()
	for round := range 2 {
		for i := range 10_000 {
			if key := fmt.Sprint(i); s.first(key) != (round == 0) {
				t.Fatalf("round %d: %s", round, key)
			}
		}
	}
}
