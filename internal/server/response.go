package server

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// response is an answer under way: it gives every write a deadline and
// remembers what the log wants to know.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	t       Timeouts
	route   string // the pattern, never the path, which has the key
	key     int    // its length
	status  int    // 0: nothing was sent
	failed  bool   // the answer is a problem document
	broken  bool   // the client took no more
	item    error  // the first failure of the store that the answer tells of an item
}

// writeChunk is how much is given to the connection at a time, so that a
// client that stopped reading is noticed before the whole value's time is up.
const writeChunk = 256 << 10

// always are the fields of every answer. A value must neither be run nor
// embedded by a page of another site, nor outlive its expiry in somebody's
// cache.
var always = [...][2]string{
	{"X-Content-Type-Options", "nosniff"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cache-Control", "no-store"},
}

func newResponse(rw http.ResponseWriter, t Timeouts) *response {
	w := &response{ResponseWriter: rw, control: http.NewResponseController(rw), t: t}
	header := w.Header()
	for _, f := range always {
		header.Set(f[0], f[1])
	}
	return w
}

// readDeadline and writeDeadline have no effect on a connection that knows no
// deadlines, such as a recorder in a test.
func (w *response) readDeadline(at time.Time)  { _ = w.control.SetReadDeadline(at) }
func (w *response) writeDeadline(at time.Time) { _ = w.control.SetWriteDeadline(at) }

// WriteHeader also gives what follows a deadline of its own: however long the
// store took, the client has the whole of Lag.
func (w *response) WriteHeader(status int) {
	w.status = status
	w.writeDeadline(time.Now().Add(w.t.Lag))
	w.ResponseWriter.WriteHeader(status)
}

// Write sends p at the pace that Timeouts ask of a client.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	pace := w.t.pace()
	for pace.moved < len(p) {
		chunk := p[pace.moved:min(pace.moved+writeChunk, len(p))]
		w.writeDeadline(pace.next(len(chunk)))
		n, err := w.ResponseWriter.Write(chunk)
		pace.moved += n
		if err != nil {
			w.broken = true
			return pace.moved, err
		}
	}
	return pace.moved, nil
}

// flush sends what was written.
func (w *response) flush() error {
	err := w.control.Flush()
	w.broken = w.broken || err != nil
	return err
}

// noteItem keeps a failure of the store for the log: the answer to a batch is 200
// whatever became of its items.
func (w *response) noteItem(err error) {
	if w.item == nil && err != nil && problemOf(err).Status >= 500 && err != errBusy {
		w.item = err
	}
}

// json answers with v. The encoding of v cannot fail.
func (w *response) json(status int, contentType string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	body = append(body, '\n')
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}
