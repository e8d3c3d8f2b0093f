package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// A batch is a body of NDJSON, one item a line, and so is its answer: line n of
// the answer belongs to line n of the body. An item that cannot be read or done
// is one item with an error; the others are not concerned.

// maxItems bounds the lines of a batch, and by that the answer to one.
const maxItems = 10_000

// batchReader reads the lines of a batch as they arrive.
type batchReader struct {
	in    *bufio.Reader
	body  *pacedBody
	line  []byte
	limit int    // of a line, in bytes
	share *share // pays for what follows
	held  int    // what the caller holds beside the line: values, answers
}

func (h *HTTP) newBatchReader(w *response, r *http.Request, s *share, limit int) *batchReader {
	body := &pacedBody{w: w, from: r.Body, pace: h.t.pace()}
	return &batchReader{in: bufio.NewReaderSize(body, 64<<10), body: body, limit: limit, share: s}
}

// maxKeyLine is the longest line with a key alone, each byte of which may be
// percent-encoded, in bytes.
const maxKeyLine = 4 * cache.MaxKey

// maxLine is the longest line of a batch that stores: a value of MaxValue fits as
// base64 and as plain text. A line and its value have to be admitted together.
func (h *HTTP) maxLine() int {
	most := 2*int64(h.maxValue) + maxKeyLine
	return int(min(most, (h.admitted.bound+uncounted)/2))
}

// waits reports whether next may have to wait for the client.
func (b *batchReader) waits() bool {
	arrived, _ := b.in.Peek(b.in.Buffered())
	return bytes.IndexByte(arrived, '\n') < 0
}

// next returns the line that follows, without its end, until the next call.
// errBusy and errLongLine mean that the line was passed over; after every other
// error nothing follows.
func (b *batchReader) next() ([]byte, error) {
	b.line = b.line[:0]
	var passed error
	for begun := false; ; begun = true {
		part, err := b.in.ReadSlice('\n')
		if passed == nil {
			passed = b.append(part)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(part) == 0 && !begun:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		case passed != nil:
			return nil, passed
		}
		if n := len(b.line); n > 0 && b.line[n-1] == '\n' {
			return b.line[:n-1], nil
		}
		return b.line, nil // the last one, whose end is the body's
	}
}

func (b *batchReader) append(part []byte) error {
	n := len(b.line) + len(part)
	if n-bytes.Count(part, []byte{'\n'}) > b.limit {
		b.forget()
		return longLine(b.limit)
	}
	if n > cap(b.line) {
		size := max(n, min(2*cap(b.line), b.limit+1))
		if !b.share.hold(b.held + len(b.line) + size) {
			b.forget()
			return errBusy
		}
		b.line = append(make([]byte, 0, size), b.line...)
	}
	b.line = append(b.line, part...)
	return nil
}

// keptLine is how large a line's buffer may be to be used again.
const keptLine = 256 << 10

// done ends the use of the present line, and takes what the caller holds now.
func (b *batchReader) done(held int) {
	if cap(b.line) > keptLine {
		b.line = nil
	}
	b.held = held
	b.share.hold(b.held + cap(b.line))
}

func (b *batchReader) forget() {
	b.line = nil
	b.share.hold(b.held)
}

// room lets a value of n bytes be allocated beside the present line.
func (b *batchReader) room(n int) bool { return b.share.hold(b.held + cap(b.line) + n) }

// pacedBody is a body of which each read has the deadline that Timeouts give a
// client.
type pacedBody struct {
	w    *response
	from io.Reader
	pace pace
}

func (p *pacedBody) Read(into []byte) (int, error) {
	p.w.readDeadline(p.pace.next(0))
	n, err := p.from.Read(into)
	p.pace.moved += n
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errSlowBatch
	case err != nil && err != io.EOF:
		err = brokenBatch(err)
	}
	return n, err
}

// pause takes the time that the store has taken off the client's.
func (p *pacedBody) pause(took time.Duration) { p.pace.start = p.pace.start.Add(took) }

func longLine(limit int) *problem {
	return newProblem(http.StatusRequestEntityTooLarge, "too_large",
		fmt.Sprintf("the line has more than %d bytes; PUT the value by itself", limit))
}

var (
	errSlowBatch = withHeader(newProblem(http.StatusRequestTimeout, "slow_body",
		"the body came too slowly; nothing was done for this line and those after it"), "Connection", "close")
	errManyItems = withHeader(newProblem(http.StatusRequestEntityTooLarge, "too_many_items",
		"a batch has at most "+strconv.Itoa(maxItems)+" lines; nothing was done for this line and those after it"), "Connection", "close")
)

func brokenBatch(err error) *problem {
	return withHeader(newProblem(http.StatusBadRequest, "broken_body",
		"the body did not arrive whole ("+err.Error()+"); nothing was done for this line and those after it"), "Connection", "close")
}
