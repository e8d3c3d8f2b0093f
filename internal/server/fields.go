package server

import (
	"net/http"
	"strings"
)

// takes says what a method of a route takes beside its path and query. What a
// request has beyond that is refused: to do something else than what was asked
// is worse than to do nothing.
type takes uint8

const (
	takesBody       takes = 1 << iota
	takesConditions       // If-Match and If-None-Match
	takesRange            // Range and If-Range
	takesLines            // a body of NDJSON
)

func (t takes) has(want takes) bool { return t&want == want }

// check refuses a request with a body or header fields that would be ignored
// though they change what the request means.
func (t takes) check(r *http.Request) error {
	switch {
	case hasBody(r) && !t.has(takesBody):
		return unexpectedBody
	case t.has(takesBody) && !r.ProtoAtLeast(1, 1) && r.Header["Content-Length"] == nil:
		return lengthRequired
	}
	var (
		first string // of the fields that are refused, so that the answer is always the same
		why   error
	)
	for name := range r.Header {
		if err := t.checkField(r, name); err != nil && (why == nil || name < first) {
			first, why = name, err
		}
	}
	return why
}

// checkField takes the name as net/http writes it.
func (t takes) checkField(r *http.Request, name string) error {
	switch name {
	case "If-Match", "If-None-Match":
		if t.has(takesConditions) {
			return nil
		}
		return unsupportedCondition(name, "this request cannot be made to depend on what the key holds")
	case "If-Range":
		// Without Range it means nothing, and a method that ignores Range
		// answers with the whole.
		if reads(r) {
			return nil
		}
		return unsupportedCondition(name, "only GET takes ranges")
	case "If-Modified-Since":
		// RFC 9110, 13.1.3: the tags decide where there are any.
		if reads(r) && t.has(takesConditions) && r.Header["If-None-Match"] != nil {
			return nil
		}
		return unsupportedCondition(name, "entries have no date of their last change; use ETag and If-None-Match")
	case "If-Unmodified-Since":
		if t.has(takesConditions) && r.Header["If-Match"] != nil {
			return nil // RFC 9110, 13.1.4
		}
		return unsupportedCondition(name, "entries have no date of their last change; use ETag and If-Match")
	case "Range":
		if reads(r) {
			return nil // a method that does not take it answers 200, not 206
		}
		return unexpectedRange(name)
	case "Content-Range":
		return unexpectedRange(name)
	case "Content-Type":
		if t.has(takesLines) && !isLines(r.Header.Get(name)) {
			return unsupportedType(name)
		}
		if isType(r.Header.Get(name), "multipart/byteranges") {
			return unexpectedRange(name)
		}
	case "Content-Encoding":
		if t.has(takesLines) && !strings.EqualFold(r.Header.Get(name), "identity") {
			return unsupportedType(name)
		}
	case "Content-Digest", "Repr-Digest", "Digest", "Content-Md5":
		if hasBody(r) {
			return unsupportedField(http.StatusNotImplemented, name, "digests of bodies are not verified; compare the ETag instead")
		}
	case "X-Http-Method-Override", "X-Http-Method", "X-Method-Override":
		return unsupportedField(http.StatusBadRequest, name, "the method is that of the request line; a proxy that replaces it must do so there")
	}
	switch {
	case name == "If", strings.HasPrefix(name, "If-"):
		return unsupportedCondition(name, "it is not known; If-Match and If-None-Match are")
	case strings.HasPrefix(name, "Harpia-"):
		return unsupportedField(http.StatusBadRequest, name, "a request has no such field; what it asks for is in its query, such as ?ttl=30s")
	}
	return nil
}

// reads: the method is one that changes nothing.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// isType compares a media type without its parameters.
func isType(field, want string) bool {
	name, _, _ := strings.Cut(field, ";")
	return strings.EqualFold(strings.TrimSpace(name), want)
}

// isLines reports whether a media type is one under which NDJSON goes.
func isLines(field string) bool {
	for _, name := range []string{ndjson, "application/ndjson", "application/jsonl"} {
		if isType(field, name) {
			return true
		}
	}
	return false
}

func unsupportedType(name string) *problem {
	return withHeader(newProblem(http.StatusUnsupportedMediaType, "unsupported_type",
		name+": this request takes lines of JSON as they are: send them as "+ndjson+" without an encoding; nothing was done"),
		"Accept", ndjson)
}

var unexpectedBody = withHeader(newProblem(http.StatusBadRequest, "unexpected_body",
	"this request takes no body; what it asks for is in its path and query"), "Connection", "close")

var lengthRequired = withHeader(newProblem(http.StatusLengthRequired, "length_required",
	"in HTTP/1.0 the length of a body is known by Content-Length alone; nothing was done"), "Connection", "close")

func unsupportedCondition(name, reason string) *problem {
	return newProblem(http.StatusNotImplemented, "unsupported_condition", name+" cannot be honoured: "+reason+"; nothing was done")
}

func unexpectedRange(name string) *problem {
	return newProblem(http.StatusBadRequest, "unexpected_range",
		name+" names a part of a value: only GET takes a part, and a value is stored as a whole; nothing was done")
}

func unsupportedField(status int, name, reason string) *problem {
	return newProblem(status, "unsupported_field", name+" cannot be honoured: "+reason+"; nothing was done")
}
