package main

import (
	"errors"
	"strconv"
	"strings"
)

// splitWords splits a line of the shell: words between spaces, 'as it is', and
// "with \n and \x00 as Go has them", which is how keys are printed.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	for line != "" {
		switch c := line[0]; c {
		case ' ', '\t', '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
			line = line[1:]
		case '\'':
			text, rest, ok := strings.Cut(line[1:], "'")
			if !ok {
				return nil, errors.New("a quote ' is not closed")
			}
			word.WriteString(text)
			line, inWord = rest, true
		case '"':
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, errors.New(`a quote " is not closed, or has an escape that Go does not know`)
			}
			text, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, err
			}
			word.WriteString(text)
			line, inWord = line[len(quoted):], true
		default:
			word.WriteByte(c)
			line, inWord = line[1:], true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
