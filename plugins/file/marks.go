package main

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// marks is the content of the watermark. File number 0 is none.
type marks struct {
	turn uint64 // of two marks, the one with the higher turn is in force
	// boot is when the marks were made: what was only written, and not synced,
	// is there as long as the machine runs on.
	boot [36]byte

	log                   uint64
	logWritten, logSynced int64
	manifest              uint64
	manifestSynced        int64
	// The manifest before, in force until the new one is complete.
	lastManifest       uint64
	lastManifestSynced int64
}

var errMark = errors.New("the watermark is damaged")

// encode writes the marks to b, which is empty, with room for a place.
func (m marks) encode(b []byte) []byte {
	b = append(b, markMagic...)
	b = binary.BigEndian.AppendUint64(b, m.turn)
	b = append(b, m.boot[:]...)
	for _, n := range []uint64{
		m.log, uint64(m.logWritten), uint64(m.logSynced),
		m.manifest, uint64(m.manifestSynced),
		m.lastManifest, uint64(m.lastManifestSynced),
	} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return b[:markPlace]
}

func decodeMarks(b []byte) (marks, error) {
	if len(b) < markSize || !strings.HasPrefix(string(b), markMagic) {
		return marks{}, errMark
	}
	body := b[:markSize-4]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(b[markSize-4:markSize]) {
		return marks{}, errMark
	}
	var m marks
	body = body[len(markMagic):]
	m.turn = binary.BigEndian.Uint64(body)
	body = body[8:]
	body = body[copy(m.boot[:], body):]
	next := func() uint64 {
		n := binary.BigEndian.Uint64(body)
		body = body[8:]
		return n
	}
	m.log, m.logWritten, m.logSynced = next(), int64(next()), int64(next())
	m.manifest, m.manifestSynced = next(), int64(next())
	m.lastManifest, m.lastManifestSynced = next(), int64(next())
	return m, nil
}

// readMarks returns the marks in dir; ok tells whether there are any.
func readMarks(fs vfs.FS, dir string) (m marks, ok bool, err error) {
	f, err := fs.Open(fs.PathJoin(dir, markName))
	if errors.Is(err, os.ErrNotExist) {
		return marks{}, false, nil
	}
	if err != nil {
		return marks{}, false, err
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return marks{}, false, err
	}
	// The first writing of it may have been cut off, before anything else was
	// in the directory.
	if len(b) == 0 {
		return marks{}, false, nil
	}
	err = errMark
	for ; len(b) >= markPlace; b = b[markPlace:] {
		if place, bad := decodeMarks(b[:markPlace]); bad == nil && (err != nil || place.turn > m.turn) {
			m, err = place, nil
		}
	}
	return m, err == nil, err
}
