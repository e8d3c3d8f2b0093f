package server

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/harpia-go/harpia/cache"
)

const ndjson = "application/x-ndjson"

// item is a line of a batch: {"key":"user:1%2Fname","value":"Alice","ttl":"30s"}.
// The key is percent-encoded as in a path, the value is text or base64.
type item struct {
	key      string
	value    []byte
	hasValue bool
	ttl      *time.Duration // nil: not given
}

// room asks for leave to allocate n bytes for a value.
type room func(n int) bool

// parseItem reads a line that has to have a key, and what else a method takes:
// a value too, or nothing. Nothing is passed over: a member that is unknown or
// given twice is an error, and so are bytes behind the object.
func parseItem(line []byte, withValue bool, left room) (it item, err error) {
	err = eachMember(line, func(name string, raw jsontext.Value) (err error) {
		switch {
		case name == "key":
			it.key, err = parseKey(raw)
		case withValue && (name == "value" || name == "value_base64"):
			if it.hasValue {
				return badLine("it has both value and value_base64")
			}
			it.hasValue = true
			it.value, err = parseValue(raw, name == "value_base64", left)
		case withValue && name == "ttl":
			it.ttl, err = parseLineTTL(raw)
		default:
			can := "it takes key"
			if withValue {
				can = "it takes key, value or value_base64, and ttl"
			}
			return badLine("it has a member that is not known; " + can)
		}
		return err
	})
	switch {
	case err != nil:
		return it, err
	case it.key == "":
		return it, cache.CheckKey("")
	case withValue && !it.hasValue:
		return it, badLine("it has no value; an empty one is \"value\":\"\"")
	}
	return it, cache.CheckKey(it.key)
}

// eachMember calls f for each member of the one object that a line is. The raw
// value is valid during the call.
func eachMember(line []byte, f func(name string, raw jsontext.Value) error) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(line))
	if d.PeekKind() != '{' {
		return badLine(`it is no object such as {"key":"a"}`)
	}
	_, err := d.ReadToken()
	for err == nil && d.PeekKind() != '}' {
		var (
			name jsontext.Token
			raw  jsontext.Value
		)
		if name, err = d.ReadToken(); err != nil {
			break
		}
		member := name.String()
		if raw, err = d.ReadValue(); err != nil {
			break
		}
		if err := f(member, raw); err != nil {
			return err
		}
	}
	if err == nil {
		_, err = d.ReadToken()
	}
	if err == nil {
		if _, err = d.ReadToken(); err == io.EOF {
			return nil
		}
		return badLine("something follows the object")
	}
	return badLine("it is no JSON: " + strings.TrimPrefix(err.Error(), "jsontext: "))
}

func parseText(name string, raw jsontext.Value) (string, error) {
	if raw.Kind() != '"' {
		return "", badLine(name + " must be a string")
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	return string(text), err
}

func parseKey(raw jsontext.Value) (string, error) {
	text, err := parseText("key", raw)
	if err != nil {
		return "", err
	}
	key, err := decodeKey(text)
	if err != nil {
		return "", newProblem(http.StatusBadRequest, "invalid_key", "the key is not percent-encoded: "+errPercent.Error()+"; a percent sign itself is %25")
	}
	return key, nil
}

func parseLineTTL(raw jsontext.Value) (*time.Duration, error) {
	text, err := parseText("ttl", raw)
	if err != nil {
		return nil, err
	}
	ttl, err := parseTTL(text)
	return &ttl, err
}

// parseValue returns a value in memory of its own, of the size that it needs:
// a store may keep it for long.
func parseValue(raw jsontext.Value, coded bool, left room) ([]byte, error) {
	if raw.Kind() != '"' {
		return nil, badLine("a value must be a string")
	}
	text := []byte(raw[1 : len(raw)-1])
	escaped := bytes.IndexByte(text, '\\') >= 0
	need := len(raw)
	if escaped {
		need *= 2 // what the escapes stand for, and then the value
	}
	if !left(need) {
		return nil, errBusy
	}
	if escaped {
		var err error
		if text, err = jsontext.AppendUnquote(make([]byte, 0, len(raw)), raw); err != nil {
			return nil, err
		}
	}
	if coded {
		if bytes.ContainsAny(text, "\r\n") {
			return nil, errBase64
		}
		value, err := base64.StdEncoding.Strict().AppendDecode(make([]byte, 0, base64.StdEncoding.DecodedLen(len(text))), text)
		if err != nil {
			return nil, errBase64
		}
		return value, nil
	}
	if escaped && cap(text)-len(text) <= len(text)/8 {
		return text, nil
	}
	return slices.Clone(text), nil
}

var errBase64 = badLine("value_base64 is no base64 of the standard alphabet, with its padding")

func badLine(detail string) *problem {
	return newProblem(http.StatusBadRequest, "invalid_line", "the line is not taken: "+detail)
}
