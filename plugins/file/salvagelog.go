package main

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// logTable is of pebble's checksum, which turns and moves what CRC-32C gives.
var logTable = crc32.MakeTable(crc32.Castagnoli)

func logChecksum(b []byte) uint32 {
	c := crc32.Checksum(b, logTable)
	return (c>>15 | c<<17) + 0xa282ead8
}

// logReader reads what can be read of a damaged log. Pebble's own reader ends at the
// first damaged chunk; this one goes on after it.
type logReader struct {
	num    uint32
	record func([]byte) // takes each whole record
	gap    func(from, to int64)

	end    int64 // of the last whole record
	start  int64 // of the record that is being read
	parts  []byte
	within bool // a record
	broken bool // something after end was damaged
	ended  bool // by what ends a log
}

// read reads the log to its end. What follows the last whole record is no gap: it may
// be what a crash left.
func (l *logReader) read(f io.ReaderAt, size int64) {
	block := make([]byte, logBlock)
	for at := int64(0); at < size && !l.ended; at += logBlock {
		b := block[:min(logBlock, size-at)]
		if n, err := f.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) || n < len(b) {
			l.damage()
			continue
		}
		l.block(at, b)
	}
	l.broken = l.broken || l.within
}

func (l *logReader) damage() { l.within, l.broken = false, true }

// block reads the chunks of a block, which begins at the place at of the log.
func (l *logReader) block(at int64, b []byte) {
	for p := 0; len(b)-p >= chunkHead && !l.ended; {
		size := int(binary.LittleEndian.Uint16(b[p+4:]))
		kind := int(b[p+6]) - 1
		if kind < 0 && len(b)-p < chunkHead+chunkMore[len(chunkMore)-1] {
			return // what fills a block
		}
		if kind < 0 || kind >= chunkFormat*len(chunkMore) {
			l.damage()
			return
		}
		more := chunkMore[kind/chunkFormat]
		body := p + chunkHead + more
		if body+size > len(b) {
			l.damage()
			return
		}
		if more > 0 {
			num := binary.LittleEndian.Uint32(b[p+chunkHead:])
			l.ended = num == l.num+1 && !l.within
			if num != l.num {
				if !l.ended {
					l.damage() // an older log's, which this one was written over
				}
				return
			}
		}
		if logChecksum(b[p+6:body+size]) != binary.LittleEndian.Uint32(b[p:]) {
			l.damage()
		} else {
			l.chunk(at+int64(p), at+int64(body+size), kind%chunkFormat, b[body:body+size])
		}
		p = body + size
	}
}

// chunk takes the chunk between two places of the log: a whole record, or the first, a
// middle or the last part of one.
func (l *logReader) chunk(from, to int64, part int, payload []byte) {
	first, last := part <= 1, part == 0 || part == chunkFormat-1
	switch {
	case first:
		l.broken = l.broken || l.within
		l.start, l.parts, l.within = from, append(l.parts[:0], payload...), true
	case l.within:
		l.parts = append(l.parts, payload...)
	default:
		l.broken = true // its beginning is missing
		return
	}
	if !last {
		return
	}
	if l.broken {
		l.gap(l.end, l.start)
	}
	l.end, l.within, l.broken = to, false, false
	l.record(l.parts)
}
