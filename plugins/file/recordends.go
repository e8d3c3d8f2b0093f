package main

import "encoding/binary"

// Pebble's log is divided into blocks, and a record into chunks that do not cross
// them; see the package record of pebble. A chunk begins with a checksum of 4 bytes,
// the size of its payload in 2, and its type in 1.
const (
	logBlock    = 32 << 10
	chunkHead   = 7
	chunkFormat = 4 // types of each format: the whole record, its first, middle and last chunk
)

// chunkMore is what follows in the header of a chunk of each format.
var chunkMore = [...]int{0, 4, 12}

// recordEnds follows a log as it is written, and knows where the last record ends
// that was written whole. A record of which a part is missing was acknowledged to
// nobody.
type recordEnds struct {
	end  int64 // of the last whole record
	at   int64
	left int  // of the chunk that is being written, or of what fills its block
	last bool // with that chunk a record ends
	head [chunkHead]byte
	have int // of head
}

// restart goes on at the end of a record.
func (r *recordEnds) restart(end int64) { *r = recordEnds{end: end, at: end} }

// wrote takes what was written to the log.
func (r *recordEnds) wrote(p []byte) {
	for len(p) > 0 {
		if r.left == 0 && r.have == 0 && logBlock-r.at%logBlock < chunkHead {
			r.left, r.last = int(logBlock-r.at%logBlock), false
		}
		if r.left > 0 {
			n := min(r.left, len(p))
			p = p[n:]
			r.left -= n
			r.at += int64(n)
		} else {
			n := copy(r.head[r.have:], p)
			p = p[n:]
			r.have += n
			r.at += int64(n)
			if r.have < chunkHead {
				return
			}
			r.have = 0
			r.chunk()
		}
		if r.left == 0 && r.last {
			r.end, r.last = r.at, false
		}
	}
}

// chunk begins the chunk whose header has been written.
func (r *recordEnds) chunk() {
	kind := int(r.head[6]) - 1
	if kind < 0 || kind >= chunkFormat*len(chunkMore) {
		// Nothing but zeros follows in the block.
		r.left, r.last = int((logBlock-r.at%logBlock)%logBlock), false
		return
	}
	r.left = chunkMore[kind/chunkFormat] + int(binary.LittleEndian.Uint16(r.head[4:]))
	r.last = kind%chunkFormat == 0 || kind%chunkFormat == chunkFormat-1
}
