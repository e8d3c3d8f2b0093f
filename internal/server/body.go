package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/harpia-go/harpia/cache"
)

// growth bounds what a client gets for what it has sent: the buffer of a body of
// known length is at most so many times as large. Of such a body at most one part
// in growth, and what led there, is copied to the last buffer. A body of unknown
// length may end at any time, so its buffer doubles.
const growth = 16

// grown is the size of the buffer after one of size bytes that is full.
func grown(size, limit int, known bool) int {
	switch first := uncounted / 2; {
	case size < first:
		return min(first, limit)
	case !known:
		return min(2*size, limit)
	case limit <= growth*size:
		return limit
	default:
		return min(growth*size, (limit+growth-1)/growth)
	}
}

// readBody returns the whole body, of at most limit bytes, or an error and none
// of it. The buffer grows with what has arrived, never with what a header
// claims, and s pays for it. The buffer is the caller's alone.
func (h *HTTP) readBody(w *response, r *http.Request, s *share, limit int) ([]byte, error) {
	known := r.ContentLength >= 0
	if r.ContentLength > int64(limit) {
		return nil, tooLarge(r.ContentLength, limit)
	}
	if known {
		limit = int(r.ContentLength)
	}
	var (
		body []byte
		over [1]byte // where the byte goes that shows a body without a length to be too long
		pace = h.t.pace()
	)
	for {
		if len(body) == cap(body) && len(body) < limit {
			size := grown(cap(body), limit, known)
			if !s.hold(size) {
				return nil, errBusy
			}
			body = append(make([]byte, 0, size), body...)
		}
		into := body[len(body):cap(body)]
		if len(into) == 0 {
			into = over[:]
		}
		w.readDeadline(pace.next(0))
		n, err := r.Body.Read(into)
		if n > 0 && len(body) == limit {
			return nil, fmt.Errorf("%w: more than the %d bytes that are allowed", cache.ErrTooLarge, limit)
		}
		body = body[:len(body)+n]
		pace.moved += n
		switch {
		case err == io.EOF:
			return fitted(body, s), nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, errSlowBody
		case err != nil:
			return nil, brokenBody(err)
		}
	}
}

func tooLarge(size int64, limit int) error {
	return fmt.Errorf("%w: %d bytes, at most %d are allowed", cache.ErrTooLarge, size, limit)
}

// fitted returns the body without the room that was left for more: a store may
// keep the buffer for long. If the copy is not admitted, the buffer stays.
func fitted(body []byte, s *share) []byte {
	if cap(body)-len(body) <= len(body)/8 || !s.hold(cap(body)+len(body)) {
		return body
	}
	fit := append(make([]byte, 0, len(body)), body...)
	s.hold(len(fit))
	return fit
}
