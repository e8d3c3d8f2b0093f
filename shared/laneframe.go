package shared

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"

	"github.com/harpia-go/harpia/cache"
)

// The frames of the lane. Numbers are little-endian. A frame is its length (of
// what follows the length, 4 bytes), a fixed head, and a rest that depends on
// the operation. Times are milliseconds since 1970 as in store.proto.
//
//	request   id 4  operation 1  (zero) 1  key's length 2  time left in ms, 0: no limit 4  expiry 8  key  rest
//	answer    id 4  status 1  flags 1  (zero) 2  expiry 8  rest

const (
	lengthSize   = 4
	requestHead  = 20
	answerHead   = 16
	flagTrue     = 1 // found, stored, swapped, deleted
	flagTooLarge = 2 // the answer does not fit this connection: ask on the other
)

// laneOp is what a request asks for.
type laneOp uint8

// What the rest of a request is, and of an answer to it that is OK.
const (
	laneGet     laneOp = 1 + iota // -; the value
	laneSet                       // the value; -
	laneDelete                    // -; -
	laneAdd                       // the value; -
	laneSwap                      // the old value's length 4, the old value, the value; -
	laneSwapDel                   // the old value; -
	laneCount                     // the delta 8, the expiry being that of a new counter; the sum 8
	laneTouch                     // -; -
	laneOps     = laneTouch
)

// needs is the capability that an operation belongs to.
var laneNeeds = [laneOps + 1]cache.Capability{
	laneAdd: cache.CanAdd, laneSwap: cache.CanSwap, laneSwapDel: cache.CanSwap, laneCount: cache.CanCount, laneTouch: cache.CanTouch,
}

// laneNames are what an author calls the operations.
var laneNames = [laneOps + 1]string{
	laneGet: "Get", laneSet: "Set", laneDelete: "Delete", laneAdd: "SetIfAbsent", laneSwap: "CompareAndSwap",
	laneSwapDel: "CompareAndDelete", laneCount: "Increment", laneTouch: "Touch",
}

// laneRequest is a request, taken apart; its values share the frame's memory.
type laneRequest struct {
	id      uint32
	op      laneOp
	left    uint32 // ms
	expires int64
	key     string
	old     []byte
	value   []byte
	delta   int64
	own     bool // the frame's memory is the request's
}

// size is how long the frame is, with its length.
func (r *laneRequest) size() int {
	n := lengthSize + requestHead + len(r.key)
	switch r.op {
	case laneSet, laneAdd:
		n += len(r.value)
	case laneSwap:
		n += 4 + len(r.old) + len(r.value)
	case laneSwapDel:
		n += len(r.old)
	case laneCount:
		n += 8
	}
	return n
}

// add adds the frame to q.
func (r *laneRequest) add(q *frameQueue) {
	b := q.small
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(r.size()-lengthSize))
	b = le.AppendUint32(b, r.id)
	b = append(b, byte(r.op), 0)
	b = le.AppendUint16(b, uint16(len(r.key)))
	b = le.AppendUint32(b, r.left)
	b = le.AppendUint64(b, uint64(r.expires))
	b = append(b, r.key...)
	var last []byte
	switch r.op {
	case laneSet, laneAdd:
		last = r.value
	case laneSwap:
		b = le.AppendUint32(b, uint32(len(r.old)))
		b = append(b, r.old...)
		last = r.value
	case laneSwapDel:
		last = r.old
	case laneCount:
		b = le.AppendUint64(b, uint64(r.delta))
	}
	q.small = b
	q.value(last)
}

// errFrame: what arrived is no frame. The connection cannot be used any more.
var errFrame = errors.New("not a frame of the lane")

// parseRequest takes a request apart, without its length.
func parseRequest(frame []byte) (r laneRequest, err error) {
	le := binary.LittleEndian
	if len(frame) < requestHead {
		return r, fmt.Errorf("%w: a request of %d bytes", errFrame, len(frame))
	}
	r.id, r.op, r.left, r.expires = le.Uint32(frame), laneOp(frame[4]), le.Uint32(frame[8:]), int64(le.Uint64(frame[12:]))
	n := int(le.Uint16(frame[6:]))
	if r.op < laneGet || r.op > laneOps || frame[5] != 0 {
		return r, fmt.Errorf("%w: operation %d", errFrame, r.op)
	}
	rest := frame[requestHead:]
	if len(rest) < n {
		return r, fmt.Errorf("%w: a key of %d bytes in %d", errFrame, n, len(rest))
	}
	r.key, rest = string(rest[:n]), rest[n:]
	switch r.op {
	case laneSet, laneAdd:
		r.value, rest = rest, nil
	case laneSwap:
		if len(rest) < 4 || uint64(le.Uint32(rest)) > uint64(len(rest)-4) {
			return r, fmt.Errorf("%w: an old value that is not all there", errFrame)
		}
		n := int(le.Uint32(rest))
		r.old, r.value, rest = rest[4:4+n:4+n], rest[4+n:], nil
	case laneSwapDel:
		r.old, rest = rest, nil
	case laneCount:
		if len(rest) < 8 {
			return r, fmt.Errorf("%w: half a number", errFrame)
		}
		r.delta, rest = int64(le.Uint64(rest)), rest[8:]
	}
	if len(rest) > 0 {
		return r, fmt.Errorf("%w: %d bytes too many", errFrame, len(rest))
	}
	return r, nil
}

// laneAnswer is an answer, taken apart; it shares the frame's memory.
type laneAnswer struct {
	id      uint32
	status  codes.Code
	flags   uint8
	expires int64
	rest    []byte // a value, a sum, or what went wrong
}

// add adds the frame to q.
func (a *laneAnswer) add(q *frameQueue) {
	b := q.small
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(answerHead+len(a.rest)))
	b = le.AppendUint32(b, a.id)
	b = append(b, byte(a.status), a.flags, 0, 0)
	q.small = le.AppendUint64(b, uint64(a.expires))
	q.value(a.rest)
}

// parseAnswer takes an answer apart, without its length.
func parseAnswer(frame []byte) (a laneAnswer, err error) {
	le := binary.LittleEndian
	if len(frame) < answerHead {
		return a, fmt.Errorf("%w: an answer of %d bytes", errFrame, len(frame))
	}
	a.id, a.status, a.flags, a.expires = le.Uint32(frame), codes.Code(frame[4]), frame[5], int64(le.Uint64(frame[8:]))
	if frame[6] != 0 || frame[7] != 0 || a.flags > flagTrue|flagTooLarge {
		return a, fmt.Errorf("%w: flags that there are not", errFrame)
	}
	a.rest = frame[answerHead:]
	return a, nil
}

// frames splits what was read into frames. It is a buffer for many small ones;
// a frame that is longer gets memory of its own.
type frames struct {
	buf     []byte
	from    int // of what was read and not taken
	longest int // frame, without its length
	// answers: a frame that is too long is taken for the answer to its request that
	// says so, and its bytes are skipped. Otherwise it ends the connection.
	answers bool
	skip    int64 // bytes of such a frame that are still to come
}

// frameBuffer holds the longest frame of a connection for small values.
const frameBuffer = laneSmall + 8<<10

// next returns the next frame that is there in whole, or nil, and whether its
// memory is its own; otherwise it is valid until room is called.
func (f *frames) next() (frame []byte, own bool, err error) {
	skipped := min(f.skip, int64(len(f.buf)-f.from))
	f.from += int(skipped)
	f.skip -= skipped
	rest := f.buf[f.from:]
	if len(rest) < lengthSize {
		return nil, false, nil
	}
	n := int64(binary.LittleEndian.Uint32(rest))
	switch {
	case n > int64(f.longest) && f.answers && len(rest) < lengthSize+answerHead:
		return nil, false, nil
	case n > int64(f.longest) && f.answers:
		f.skip = lengthSize + n
		return tooLong(rest[lengthSize:][:answerHead], n, f.longest), true, nil
	case n > int64(f.longest):
		return nil, false, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", errFrame, n, f.longest)
	}
	if int64(len(rest)-lengthSize) < n {
		return nil, false, nil
	}
	end := lengthSize + int(n)
	frame = rest[lengthSize:end:end]
	if end > frameBuffer {
		// There is nothing behind it: room had no room for more.
		f.buf, f.from = nil, 0
		return frame, true, nil
	}
	f.from += end
	return frame, false, nil
}

// tooLong makes of the head of an answer of n bytes one that says that these are too
// many. A head that is none stays as it is.
func tooLong(head []byte, n int64, longest int) []byte {
	a, err := parseAnswer(head)
	if err != nil {
		return slices.Clone(head)
	}
	frame := make([]byte, answerHead)
	binary.LittleEndian.PutUint32(frame, a.id)
	// On the connection for small values it is asked for again, over the other.
	frame[4], frame[5] = byte(codes.ResourceExhausted), flagTooLarge
	return fmt.Appendf(frame, "the plugin answered with %d bytes, at most %d are allowed", n-answerHead, longest-answerHead)
}

// room returns where to read to; read tells how much was. There is room for the
// rest of a frame that has begun, and for no more if it is a long one.
func (f *frames) room() []byte {
	rest := f.buf[f.from:]
	need := frameBuffer
	if len(rest) >= lengthSize && f.skip == 0 {
		if n := int64(binary.LittleEndian.Uint32(rest)); n <= int64(f.longest) {
			need = max(need, lengthSize+int(n))
		}
	}
	switch {
	case cap(f.buf) < need:
		grown := make([]byte, len(rest), need)
		copy(grown, rest)
		f.buf = grown[:len(rest):need]
	case f.from > 0 && cap(f.buf)-len(f.buf) < need/2 || len(rest) == 0:
		f.buf = f.buf[:copy(f.buf, rest)]
	default:
		return f.buf[len(f.buf):cap(f.buf)]
	}
	f.from = 0
	return f.buf[len(f.buf):cap(f.buf)]
}

func (f *frames) read(n int) { f.buf = f.buf[:len(f.buf)+n] }
