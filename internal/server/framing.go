package server

import (
	"bytes"
	"net/http"
)

// head is what framing notes of a request's head that net/http does not tell.
type head struct {
	refused string // why the request is not served, or ""
	isHEAD  bool
	// brokenPath: the percent-encoding of the path is broken. net/http answers
	// such a request itself.
	brokenPath bool
}

// framing follows the bytes of a connection, as RFC 9112 frames them, and keeps
// a head's notes until its request is served. It buffers nothing of what it
// sees. Where it and net/http could disagree about a head, it refuses it, which
// ends the connection: so they agree on where the next one begins.
type framing struct {
	at   place
	line []byte // the beginning of the line that is being read
	n    int64  // the bytes of a body or chunk that are to come, or a chunk's size

	now       head
	http10    bool
	coded     bool // Transfer-Encoding is there
	length    bool // Content-Length is there
	field     int  // which of the three parts of a request line is being read
	hexDigits int  // that have to follow a percent sign
	heads     []head
}

// place is where in a message the next byte belongs.
type place uint8

const (
	inRequestLine place = iota
	inFields
	inBody
	inChunkSize
	inChunk
	afterChunk
	inTrailer
	lost // the body breaks the chunked coding: net/http reads no further
)

// keptOfLine is enough of a line for the names that matter and a length.
const keptOfLine = 64

// see takes the bytes that follow.
func (f *framing) see(p []byte) {
	for len(p) > 0 {
		switch f.at {
		case inBody, inChunk:
			skipped := min(int64(len(p)), f.n)
			p = p[skipped:]
			if f.n -= skipped; f.n > 0 {
				return
			}
			if f.at == inChunk {
				f.begin(afterChunk)
			} else {
				f.begin(inRequestLine)
			}
		case lost:
			return
		default:
			f.byte(p[0])
			p = p[1:]
		}
	}
}

func (f *framing) begin(at place) {
	f.at, f.line = at, f.line[:0]
	switch at {
	case inRequestLine:
		f.now, f.http10, f.coded, f.length, f.n = head{}, false, false, false, 0
		f.field, f.hexDigits = 0, 0
	case inChunkSize:
		f.n = 0
	}
}

// byte takes one that is part of a line.
func (f *framing) byte(c byte) {
	if f.at == inRequestLine && f.field == 0 && len(f.line) == 0 && (c == '\r' || c == '\n') {
		return // what stands before a request is not looked at, as by net/http
	}
	if c == '\n' {
		f.lineEnds(bytes.TrimSuffix(f.line, []byte{'\r'}))
		return
	}
	if f.at == inRequestLine {
		f.requestLine(c)
	}
	if len(f.line) < keptOfLine {
		f.line = append(f.line, c)
	}
}

// requestLine takes a byte of "METHOD target HTTP/1.1". The path is looked at
// as it passes, since it may be long.
func (f *framing) requestLine(c byte) {
	switch {
	case c == ' ':
		f.now.brokenPath = f.now.brokenPath || f.hexDigits > 0
		f.hexDigits = 0
		switch f.field++; f.field {
		case 1:
			f.now.isHEAD = string(f.line) == http.MethodHead
		case 2:
			f.line = f.line[:0] // this space and the version follow
		}
	case f.field != 1:
	case c == '?':
		f.now.brokenPath = f.now.brokenPath || f.hexDigits > 0
		f.hexDigits = -1 // no more of the path
	case f.hexDigits > 0:
		f.now.brokenPath = f.now.brokenPath || !isHex(c)
		f.hexDigits--
	case f.hexDigits == 0 && c == '%':
		f.hexDigits = 2
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (f *framing) lineEnds(line []byte) {
	switch f.at {
	case inRequestLine:
		f.http10 = bytes.HasPrefix(line, []byte(" HTTP/1.0"))
		f.at, f.line = inFields, f.line[:0]
	case inFields:
		if len(line) == 0 {
			f.headEnds()
			return
		}
		f.fieldLine(line)
		f.line = f.line[:0]
	case inChunkSize:
		f.chunkSize(line)
	case afterChunk:
		f.begin(inChunkSize)
		if len(line) > 0 {
			f.at = lost
		}
	case inTrailer:
		if len(line) == 0 {
			f.begin(inRequestLine)
			return
		}
		f.line = f.line[:0]
	}
}

func (f *framing) fieldLine(line []byte) {
	if line[0] == ' ' || line[0] == '\t' {
		f.refuse("a field of the head is folded over two lines")
		return
	}
	name, value, _ := bytes.Cut(line, []byte{':'})
	switch {
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		f.coded = true
	case bytes.EqualFold(name, []byte("Content-Length")):
		n, ok := position(string(bytes.Trim(value, " \t")))
		if !ok || f.length && int64(n) != f.n || len(line) >= keptOfLine-1 {
			f.refuse("Content-Length is not one decimal number")
		}
		f.length, f.n = true, int64(n)
	}
}

func (f *framing) refuse(why string) {
	if f.now.refused == "" {
		f.now.refused = why
	}
}

func (f *framing) headEnds() {
	switch {
	case f.coded && f.length:
		f.refuse("Content-Length and Transfer-Encoding both tell the length of the body: send one of them")
	case f.coded && f.http10:
		f.refuse("HTTP/1.0 has no Transfer-Encoding: send Content-Length, or HTTP/1.1")
	}
	f.heads = append(f.heads, f.now)
	switch {
	case f.coded:
		f.begin(inChunkSize)
	case f.n > 0:
		f.at = inBody
	default:
		f.begin(inRequestLine)
	}
}

// chunkSize reads a chunk's size and skips the extensions behind it.
func (f *framing) chunkSize(line []byte) {
	digits := 0
	for digits < len(line) && isHex(line[digits]) {
		digits++
	}
	if digits == 0 || digits > 15 {
		f.at = lost
		return
	}
	for _, c := range line[:digits] {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c&^0x20 - 'A' + 10
		}
		f.n = f.n<<4 | int64(c)
	}
	size := f.n
	if size == 0 {
		f.begin(inTrailer)
		return
	}
	f.begin(inChunk)
	f.n = size
}

// next returns the notes of the head whose request is served next, and forgets
// them. Without one, framing has lost its way.
func (f *framing) next() head {
	if len(f.heads) == 0 {
		return head{refused: "the request cannot be told from the one before it"}
	}
	h := f.heads[0]
	f.heads = append(f.heads[:0], f.heads[1:]...)
	return h
}

// failed returns the notes of the head that net/http has refused: it may not
// have ended.
func (f *framing) failed() head {
	if len(f.heads) > 0 {
		return f.heads[0]
	}
	return f.now
}
