package main

import (
	"errors"
	"fmt"
	"runtime/debug"
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
	markSize  = len(markMagic) + 8 + len(marks{}.boot) + 7*8 + 4
	// Two places, written in turn: the writing of one may be cut off.
	markPlace = 256
)

// watermark keeps the marks on disk. Its file never grows, so writing it needs
// no room. It is written for every batch, through memory where that can be.
type watermark struct {
	mu     sync.Mutex
	f      vfs.File
	memory []byte
	m      marks
	buf    [markPlace]byte
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
	err = private(f)
	for _, sync := range []bool{false, true} {
		if err == nil {
			err = w.update(sync, func(*marks) bool { return true })
		}
	}
	if err == nil && m.turn == 0 {
		err = syncDir(fs, dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if fd := f.Fd(); fd != vfs.InvalidFd {
		// Without it the file is written to.
		w.memory, _ = mapFile(fd, 2*markPlace)
	}
	return w, nil
}

// update changes the marks, if change returns true. A file that is new must be
// known for good, with sync, before anything relies on it: a mark may be behind
// its file, but not name one that is gone.
func (w *watermark) update(sync bool, change func(*marks) bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.m
	if !change(&m) {
		return nil
	}
	w.m = m
	w.m.turn++
	b := w.m.encode(w.buf[:0])
	at := int64(w.m.turn%2) * markPlace
	// What must be on disk does not rely on memory and file being one.
	if sync || !w.put(b, at) {
		if _, err := w.f.WriteAt(b, at); err != nil && (sync || !isFull(err)) {
			return fmt.Errorf("writing the watermark: %w", err)
		}
	}
	if sync {
		return w.f.Sync()
	}
	return nil
}

// put writes through memory. A file system that copies on writing may have no
// room even for that, and says so with a fault.
func (w *watermark) put(b []byte, at int64) (done bool) {
	if w.memory == nil {
		return false
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			w.unmap()
			done = false
		}
	}()
	copy(w.memory[at:], b)
	return true
}

func (w *watermark) unmap() {
	if w.memory != nil {
		_ = unmapFile(w.memory)
		w.memory = nil
	}
}

func (w *watermark) newLog(num uint64) error {
	return w.update(true, func(m *marks) bool {
		m.log, m.logWritten, m.logSynced = num, 0, 0
		return true
	})
}

// dropLog is called before a log is removed.
func (w *watermark) dropLog(num uint64) error {
	return w.update(true, func(m *marks) bool {
		m.logWritten, m.logSynced = 0, 0
		return m.log == num
	})
}

func (w *watermark) logAt(num uint64, written, synced int64) error {
	return w.update(false, func(m *marks) bool {
		m.logWritten, m.logSynced = written, synced
		return m.log == num
	})
}

func (w *watermark) newManifest(num uint64) error {
	return w.update(true, func(m *marks) bool {
		// Right after opening there is none but the last.
		if m.manifest != 0 {
			m.lastManifest, m.lastManifestSynced = m.manifest, m.manifestSynced
		}
		m.manifest, m.manifestSynced = num, 0
		return true
	})
}

func (w *watermark) manifestAt(num uint64, synced int64) error {
	return w.update(false, func(m *marks) bool {
		m.manifestSynced = synced
		return m.manifest == num
	})
}

func (w *watermark) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unmap()
	return w.f.Close()
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
