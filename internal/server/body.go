package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/harpia-go/harpia/cache"
)

// readBody returns the whole body, or an error and none of it. The buffer
// grows with what has arrived, never with what a header claims, and s pays for
// it.
func (h *HTTP) readBody(w *response, r *http.Request, s *share) ([]byte, error) {
	limit := h.maxValue
	if r.ContentLength > int64(limit) {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", cache.ErrTooLarge, r.ContentLength, limit)
	}
	if r.ContentLength >= 0 {
		limit = int(r.ContentLength)
	}
	var (
		body []byte
		over [1]byte // where the byte goes that shows a body without a length to be too long
		pace = h.t.pace()
	)
	for {
		if len(body) == cap(body) && len(body) < limit {
			grown := min(max(2*cap(body), uncounted/2), limit)
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
			return body, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, errSlowBody
		case err != nil:
			return nil, brokenBody(err)
		}
	}
}
