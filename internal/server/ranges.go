package server

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// span is the part of a value from its byte first up to, and without, its byte
// end.
type span struct{ first, end int }

func (p span) contentRange(size int) string {
	return "bytes " + strconv.Itoa(p.first) + "-" + strconv.Itoa(p.end-1) + "/" + strconv.Itoa(size)
}

var (
	errRangeSyntax = errors.New("write Range as bytes=0-99, bytes=100- or bytes=-100")
	errPastEnd     = errors.New("the range begins at or after the value's end")
)

// spanOf returns the part that r asks for of a value with this tag and size,
// and whether it asks for a part. By RFC 9110 the whole is sent for a unit
// other than bytes, for several ranges, and if If-Range names another value.
func spanOf(r *http.Request, tag string, size int) (part span, ok bool, err error) {
	lines := r.Header["Range"]
	if len(lines) == 0 || r.Method != http.MethodGet {
		return span{}, false, nil
	}
	same, err := ifRange(r, tag)
	if err != nil || !same {
		return span{}, false, err
	}
	if len(lines) > 1 {
		return span{}, false, badRange(errRangeSyntax, size)
	}
	part, ok, err = parseRange(lines[0], size)
	if err != nil {
		return span{}, false, badRange(err, size)
	}
	return part, ok, nil
}

// ifRange reports whether If-Range, where there is one, lets the range stand. A
// date never does: entries have none.
func ifRange(r *http.Request, tag string) (bool, error) {
	lines, ok := r.Header["If-Range"]
	if !ok {
		return true, nil
	}
	text := strings.Join(lines, ",")
	if _, err := http.ParseTime(text); err == nil {
		return false, nil
	}
	list, err := parseTags(lines)
	if err == nil && (list.any || len(list.tags) != 1) {
		err = errors.New("it takes one tag")
	}
	if err != nil {
		return false, badCondition("If-Range", err)
	}
	return list.hasStrong(tag), nil
}

// parseRange reads a Range field for a value of size bytes.
func parseRange(text string, size int) (part span, ok bool, err error) {
	unit, set, found := strings.Cut(text, "=")
	if !found {
		return span{}, false, errRangeSyntax
	}
	if !strings.EqualFold(unit, "bytes") {
		return span{}, false, nil
	}
	n := 0
	for spec := range strings.SplitSeq(set, ",") {
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue
		}
		n++
		if part, err = parseSpec(spec, size); err != nil && err != errPastEnd {
			return span{}, false, errRangeSyntax
		}
	}
	switch {
	case n == 0:
		return span{}, false, errRangeSyntax
	case n > 1:
		return span{}, false, nil
	case err != nil:
		return span{}, false, err
	}
	// No Content-Range can describe a part of nothing.
	return part, part.first < part.end, nil
}

// parseSpec reads first-last, first- or -length, all of them decimal.
func parseSpec(spec string, size int) (span, error) {
	from, to, found := strings.Cut(spec, "-")
	first, okFrom := position(from)
	last, okTo := position(to)
	switch {
	case !found, !okFrom && from != "", !okTo && to != "", from == "" && to == "":
		return span{}, errRangeSyntax
	case from == "":
		if last == 0 {
			return span{}, errPastEnd
		}
		return span{max(0, size-last), size}, nil
	case to != "" && last < first:
		return span{}, errRangeSyntax
	case first >= size:
		return span{}, errPastEnd
	case to == "" || last >= size:
		return span{first, size}, nil
	}
	return span{first, last + 1}, nil
}

// position reads decimal digits. A number that is longer than any value has
// bytes is the largest int.
func position(digits string) (int, bool) {
	const most = int(^uint(0) >> 1)
	n := 0
	for i := range len(digits) {
		d := int(digits[i]) - '0'
		if d < 0 || d > 9 {
			return 0, false
		}
		if n > (most-d)/10 {
			n = most
			continue
		}
		n = n*10 + d
	}
	return n, digits != ""
}

func badRange(err error, size int) *problem {
	return withHeader(newProblem(http.StatusRequestedRangeNotSatisfiable, "invalid_range", err.Error()),
		"Content-Range", "bytes */"+strconv.Itoa(size))
}
