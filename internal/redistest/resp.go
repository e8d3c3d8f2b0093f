//go:build unix

package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// Error is what a server answers in place of a result: "WRONGTYPE Operation
// against …".
type Error string

func (e Error) Error() string { return string(e) }

// encode writes a command.
func encode(words []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.Bytes()
}

// reader reads what either side says, in RESP2 or RESP3.
type reader struct {
	r   *bufio.Reader
	raw bytes.Buffer // of what was read since it was last reset
}

// read returns a string, an int64, a bool, nil, an Error, or a []any of these. A
// map is a list of keys and values. kind is the byte that began it.
func (r *reader) read() (value any, kind byte, err error) {
	line, err := r.r.ReadString('\n')
	if err != nil {
		return nil, 0, err
	}
	r.raw.WriteString(line)
	if len(line) < 3 {
		return nil, 0, fmt.Errorf("redistest: no RESP: %q", line)
	}
	kind, text := line[0], line[1:len(line)-2]
	switch kind {
	case '+', ',', '(':
		return text, kind, nil
	case '-':
		return Error(text), kind, nil
	case '_':
		return nil, kind, nil
	case '#':
		return text == "t", kind, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, kind, fmt.Errorf("redistest: no RESP: %q", line)
	}
	switch kind {
	case ':':
		return n, kind, nil
	case '$', '=', '!':
		value, err = r.bulk(n, kind)
	case '%', '|':
		value, err = r.list(2 * n)
	case '*', '~', '>':
		value, err = r.list(n)
	default:
		err = fmt.Errorf("redistest: no RESP: %q", line)
	}
	return value, kind, err
}

func (r *reader) bulk(n int64, kind byte) (any, error) {
	if n < 0 {
		return nil, nil
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(r.r, b); err != nil {
		return nil, err
	}
	r.raw.Write(b)
	if text := string(b[:n]); kind != '!' {
		return text, nil
	} else {
		return Error(text), nil
	}
}

func (r *reader) list(n int64) (any, error) {
	if n < 0 {
		return nil, nil
	}
	list := make([]any, n)
	for i := range list {
		var err error
		if list[i], _, err = r.read(); err != nil {
			return nil, err
		}
	}
	return list, nil
}
