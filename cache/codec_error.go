package cache

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// DecodeError is about values that are in the store and cannot be decoded. It
// wraps ErrDecode and the causes.
type DecodeError struct {
	// Type is what the values should have been.
	Type reflect.Type
	// Causes has the codec's error for each key, as the caller gave it.
	Causes map[string]error
}

// Error names keys by the first 16 hexadecimal digits of their SHA-256: keys may be
// names of people, and errors go to logs. KeyDigest makes the same of a key.
func (e *DecodeError) Error() string {
	const most = 3
	var b strings.Builder
	fmt.Fprintf(&b, "%v as %v", ErrDecode, e.Type)
	for i, key := range slices.Sorted(maps.Keys(e.Causes)) {
		if i == most {
			fmt.Fprintf(&b, "; and %d more", len(e.Causes)-most)
			break
		}
		separator := ":"
		if i > 0 {
			separator = ";"
		}
		fmt.Fprintf(&b, "%s key %s: %v", separator, KeyDigest(key), e.Causes[key])
	}
	return b.String()
}

// Unwrap returns ErrDecode and the causes, in the order of their keys.
func (e *DecodeError) Unwrap() []error {
	errs := []error{ErrDecode}
	for _, key := range slices.Sorted(maps.Keys(e.Causes)) {
		errs = append(errs, e.Causes[key])
	}
	return errs
}

// KeyDigest is what a DecodeError shows of a key: the first 16 hexadecimal digits of
// its SHA-256.
func KeyDigest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf("%x", sum[:8])
}
