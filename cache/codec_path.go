package cache

import "strings"

// pathError is an error of one part of a value.
type pathError struct {
	path string // as Go code selects the part: .Spec.Tags[2]
	err  error
}

func (e *pathError) Error() string {
	return strings.TrimPrefix(e.path, ".") + ": " + e.err.Error()
}

func (e *pathError) Unwrap() error { return e.err }

// at returns err with step before the path that it has.
func at(step string, err error) error {
	if p, ok := err.(*pathError); ok {
		return &pathError{step + p.path, p.err}
	}
	return &pathError{step, err}
}
