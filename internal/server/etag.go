package server

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// tagOf returns the entity tag of a value, a digest of its bytes and nothing
// else: equal values have equal tags, whatever server or store they come from.
// It reads the value where it is.
func tagOf(value []byte) string {
	sum := sha256.Sum256(value)
	tag := make([]byte, 0, base64.RawURLEncoding.EncodedLen(len(sum))+2)
	tag = append(tag, '"')
	tag = base64.RawURLEncoding.AppendEncode(tag, sum[:])
	return string(append(tag, '"'))
}

// entityTag is one that a client names (RFC 9110, 8.8.3).
type entityTag struct {
	opaque string // in its quotes
	weak   bool
}

// tagList is what If-Match and If-None-Match hold: "*", or at least one tag.
type tagList struct {
	any  bool
	tags []entityTag
}

// hasStrong compares as If-Match does: a weak tag equals none. The tag "" is
// that of a key without a value.
func (l *tagList) hasStrong(tag string) bool {
	return l.has(tag, func(t entityTag) bool { return !t.weak && t.opaque == tag })
}

// hasWeak compares as If-None-Match does: the tags of a value and of what a
// proxy has made of it are equal.
func (l *tagList) hasWeak(tag string) bool {
	return l.has(tag, func(t entityTag) bool { return t.opaque == tag })
}

func (l *tagList) has(tag string, equal func(entityTag) bool) bool {
	if tag == "" {
		return false
	}
	if l.any {
		return true
	}
	for _, t := range l.tags {
		if equal(t) {
			return true
		}
	}
	return false
}

var (
	errNoTag   = errors.New(`it is empty; write * or tags such as "x"`)
	errTag     = errors.New(`a tag is written "x" or W/"x", in quotes and without spaces`)
	errTagList = errors.New(`tags are separated by commas, and * stands alone`)
)

// parseTags reads the lines of a field that holds "*" or a list of tags. Empty
// elements of the list are allowed, as RFC 9110 (5.6.1.2) has it.
func parseTags(lines []string) (*tagList, error) {
	rest := strings.Join(lines, ",")
	if strings.Trim(rest, " \t") == "*" {
		return &tagList{any: true}, nil
	}
	list := new(tagList)
	for {
		if rest = strings.TrimLeft(rest, " \t,"); rest == "" {
			break
		}
		tag, after, err := cutTag(rest)
		if err != nil {
			return nil, err
		}
		list.tags = append(list.tags, tag)
		if rest = strings.TrimLeft(after, " \t"); rest != "" && rest[0] != ',' {
			return nil, errTagList
		}
	}
	if len(list.tags) == 0 {
		return nil, errNoTag
	}
	return list, nil
}

// cutTag cuts one tag from the beginning of text.
func cutTag(text string) (tag entityTag, rest string, err error) {
	if text[0] == '*' {
		return tag, "", errTagList
	}
	quoted, weak := strings.CutPrefix(text, "W/")
	if !strings.HasPrefix(quoted, `"`) {
		return tag, "", errTag
	}
	for i := 1; i < len(quoted); i++ {
		switch c := quoted[i]; {
		case c == '"':
			return entityTag{quoted[:i+1], weak}, quoted[i+1:], nil
		case c <= ' ', c == 0x7f:
			return tag, "", errTag
		}
	}
	return tag, "", errTag
}
