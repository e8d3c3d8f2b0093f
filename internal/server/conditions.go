package server

import (
	"net/http"
)

// conditions are what a request demands of the value that the key holds
// (RFC 9110, 13). Those by date are refused before, see fields.go: entries have
// no date of their last change.
type conditions struct {
	match, noneMatch *tagList // nil: not demanded
}

func conditionsOf(r *http.Request) (c conditions, err error) {
	for _, f := range []struct {
		name string
		list **tagList
	}{{"If-Match", &c.match}, {"If-None-Match", &c.noneMatch}} {
		lines, ok := r.Header[f.name]
		if !ok {
			continue
		}
		if *f.list, err = parseTags(lines); err != nil {
			return c, badCondition(f.name, err)
		}
	}
	return c, nil
}

func (c conditions) none() bool { return c.match == nil && c.noneMatch == nil }

// demandsAbsence: the one condition is that the key holds nothing.
func (c conditions) demandsAbsence() bool {
	return c.match == nil && c.noneMatch != nil && c.noneMatch.any
}

// check evaluates the conditions in the order of RFC 9110, 13.2.2, against the
// tag of what the key holds; "" is nothing.
func (c conditions) check(tag string) error {
	switch {
	case c.match != nil && !c.match.hasStrong(tag):
		if tag == "" {
			return unmatchedAbsence
		}
		return unmatched
	case c.noneMatch != nil && c.noneMatch.hasWeak(tag):
		if c.noneMatch.any {
			return present
		}
		return unchanged
	}
	return nil
}

// The ways in which conditions do not hold. To GET and HEAD, unchanged and
// present are no problems but 304.
var (
	unmatchedAbsence = newProblem(http.StatusPreconditionFailed, "precondition_failed",
		"the key holds no entry, and If-Match demands one; nothing was changed")
	unmatched = newProblem(http.StatusPreconditionFailed, "precondition_failed",
		"the key holds another value than If-Match names: GET it for the present ETag; nothing was changed")
	present = newProblem(http.StatusPreconditionFailed, "precondition_failed",
		"the key holds an entry, and If-None-Match demands that it holds none; nothing was changed")
	unchanged = newProblem(http.StatusPreconditionFailed, "precondition_failed",
		"the key holds a value that If-None-Match excludes; nothing was changed")
)

func badCondition(field string, err error) *problem {
	return newProblem(http.StatusBadRequest, "invalid_condition", field+" cannot be read: "+err.Error())
}
