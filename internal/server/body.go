package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/harpia-go/harpia/cache"
)

// growth is the factor by which the buffer of a body of known length grows: a
// client must have sent a sixteenth of what is reserved for it, and what is
// copied on the way is a fifteenth of the body. A body of unknown length may
// end at any time, so its buffer doubles.
const growth = 16

// readBody returns the whole body, or an error and none of it. The buffer
// grows with what has arrived, never with what a header claims, and s pays for
// it. The buffer is the caller's alone.
func (h *HTTP) readBody(w *response, r *http.Request, s *share) ([]byte, error) {
	limit, factor := h.maxValue, 2
	if r.ContentLength > int64(limit) {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", cache.ErrTooLarge, r.ContentLength, limit)
	}
	if r.ContentLength >= 0 {
		limit, factor = int(r.ContentLength), growth
	}
	var (
		body []byte
		over [1]byte // where the byte goes that shows a body without a length to be too long
		pace = h.t.pace()
	)
	for {
		if len(body) == cap(body) && len(body) < limit {
			grown := min(max(factor*cap(body), uncounted/2), limit)
			if !s.hold(grown) {
				return nil, errBusy
			}
			body = append(make([]byte, 0, grown), body...)
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
