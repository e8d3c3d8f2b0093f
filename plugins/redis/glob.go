package main

import "strings"

// escape makes a pattern that matches exactly text, of the kind that MATCH and
// KEYS take. Each byte stands for itself, whatever encoding the text has.
func escape(text string) string {
	if !strings.ContainsAny(text, `*?[]^\`) {
		return text
	}
	var b strings.Builder
	for _, c := range []byte(text) {
		if strings.IndexByte(`*?[]^\`, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}
