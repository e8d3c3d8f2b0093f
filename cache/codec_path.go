package cache

import (
	"slices"
	"strings"
)

// pathError is an error of one part of a value.
type pathError struct {
	steps []string // as Go code selects the part, the last one first: "[2]", ".Tags"
	err   error
}

// maxSteps is how many steps of a path an error shows.
const maxSteps = 40

func (e *pathError) Error() string {
	steps := slices.Clone(e.steps)
	slices.Reverse(steps)
	if len(steps) > maxSteps {
		steps = slices.Concat(steps[:maxSteps/2], []string{"…"}, steps[len(steps)-maxSteps/2:])
	}
	return strings.TrimPrefix(strings.Join(steps, ""), ".") + ": " + e.err.Error()
}

func (e *pathError) Unwrap() error { return e.err }

// at returns err with step before the path that it has. It changes an err that has
// one, which nobody else has yet.
func at(step string, err error) error {
	if p, ok := err.(*pathError); ok {
		p.steps = append(p.steps, step)
		return p
	}
	return &pathError{[]string{step}, err}
}
