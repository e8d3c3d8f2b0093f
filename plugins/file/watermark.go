package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The watermark says how far the log and the manifest were written. Pebble
// takes the first record in them that does not check as their end, because
// that is what a crash in the middle of a write leaves; so a damaged record
// would silently cost all that follows it. With the watermark, an end before
// it is damage, and only an end after it is a crash.
//
// The file also marks the directory as ours.
const (
	markName  = "harpia.mark"
	markMagic = "harpia file store 1\n"
	markSize  = len(markMagic) + len(marks{}.boot) + 7*8 + 4
)

// marks is the content of the watermark. File number 0 is none.
type marks struct {
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

func (m marks) encode() []byte {
	b := append(make([]byte, 0, markSize), markMagic...)
	b = append(b, m.boot[:]...)
	for _, n := range []uint64{
		m.log, uint64(m.logWritten), uint64(m.logSynced),
		m.manifest, uint64(m.manifestSynced),
		m.lastManifest, uint64(m.lastManifestSynced),
	} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func decodeMarks(b []byte) (marks, error) {
	if len(b) != markSize || !strings.HasPrefix(string(b), markMagic) {
		return marks{}, errMark
	}
	body := b[:markSize-4]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(b[markSize-4:]) {
		return marks{}, errMark
	}
	var m marks
	body = body[len(markMagic):]
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
	m, err = decodeMarks(b)
	return m, err == nil, err
}

// watermark keeps the marks on disk. Its file never grows, so writing it needs
// no room.
type watermark struct {
	mu sync.Mutex
	f  vfs.File
	m  marks
}

// openWatermark continues m as of this boot.
func openWatermark(fs vfs.FS, dir string, m marks, boot [36]byte) (*watermark, error) {
	f, err := fs.OpenReadWrite(fs.PathJoin(dir, markName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	if m.boot != boot {
		// What an earlier boot wrote and this one found is on the disk.
		m.boot, m.logWritten = boot, m.logSynced
	}
	w := &watermark{f: f, m: m}
	if err = private(f); err == nil {
		err = w.update(true, func(*marks) {})
	}
	if err == nil {
		err = syncDir(fs, dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return w, nil
}

// update changes the marks. A file that is new must be known for good, with
// sync, before anything relies on it: a mark may be behind its file, but not
// name one that is gone.
func (w *watermark) update(sync bool, change func(*marks)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.m)
	if _, err := w.f.WriteAt(w.m.encode(), 0); err != nil {
		return fmt.Errorf("writing the watermark: %w", err)
	}
	if sync {
		return w.f.Sync()
	}
	return nil
}

func (w *watermark) newLog(num uint64) error {
	return w.update(true, func(m *marks) { m.log, m.logWritten, m.logSynced = num, 0, 0 })
}

func (w *watermark) logAt(num uint64, written, synced int64) error {
	return w.update(false, func(m *marks) {
		if m.log == num {
			m.logWritten, m.logSynced = written, synced
		}
	})
}

func (w *watermark) newManifest(num uint64) error {
	return w.update(true, func(m *marks) {
		m.lastManifest, m.lastManifestSynced = m.manifest, m.manifestSynced
		m.manifest, m.manifestSynced = num, 0
	})
}

func (w *watermark) manifestAt(num uint64, synced int64) error {
	return w.update(false, func(m *marks) {
		if m.manifest == num {
			m.manifestSynced = synced
		}
	})
}

func (w *watermark) close() error { return w.f.Close() }

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// bootID names the current boot of the machine, if the system tells it.
func bootID() (id [36]byte) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return [36]byte{}
	}
	copy(id[:], b)
	return id
}
