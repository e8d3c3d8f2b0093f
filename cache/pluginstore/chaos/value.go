//go:build linux

package main

import (
	"fmt"
	"strconv"
	"strings"
)

// A value begins with its name, which no other write has, and is filled up to
// its size: a read names the write that it saw, and one that is cut, mixed or
// made up names none.

const filler = "abcdefghijklmnopqrstuvwxyz0123456789"

// makeValue returns a value of about size bytes with the given name. The value
// of the name "" is empty.
func makeValue(name string, size int) []byte {
	if name == "" {
		return []byte{}
	}
	head := name + "/" + strconv.Itoa(size) + "/"
	rest := max(size-len(head), 0)
	return []byte((head + strings.Repeat(filler, rest/len(filler)+1))[:len(head)+rest])
}

// nameOf returns the name of a value that was read.
func nameOf(value []byte) string {
	text := string(value)
	if text == "" {
		return ""
	}
	if _, err := strconv.ParseInt(text, 10, 64); err == nil {
		return text // a counter
	}
	name, rest, ok := strings.Cut(text, "/")
	if ok {
		length, _, ok := strings.Cut(rest, "/")
		if size, err := strconv.Atoi(length); ok && err == nil && string(makeValue(name, size)) == text {
			return name
		}
	}
	return fmt.Sprintf("no value of ours: %d bytes, %.40q", len(text), text)
}
