package main

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ballast is a file that only takes space. It is given up when the disk is
// full in spite of the reserve, because another program filled it: then what
// pebble cannot do without still succeeds.
type ballast struct {
	fs   vfs.FS
	path string
	size int64

	mu     sync.Mutex
	exists bool
}

// newBallast takes over the file that an earlier store left. A quarter of the
// reserve is several times what may be written between two looks at the disk.
func newBallast(fs vfs.FS, path string, reserve int64) *ballast {
	b := &ballast{fs: fs, path: path, size: reserve / 4}
	info, err := fs.Stat(path)
	b.exists = err == nil
	if b.exists && info.Size() != b.size {
		b.release()
	}
	return b
}

func (b *ballast) held() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.exists
}

func (b *ballast) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.exists {
		return
	}
	b.exists = false
	if err := b.fs.Remove(b.path); err != nil {
		slog.Warn("file: the ballast was not released", "path", b.path, "error", err.Error())
	}
}

// make allocates the file.
func (b *ballast) make() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.exists || b.size == 0 {
		return
	}
	f, err := b.fs.Create(b.path, vfs.WriteCategoryUnspecified)
	if err == nil {
		err = private(f)
	}
	if err == nil {
		err = b.allocate(f)
	}
	if f != nil {
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		_ = b.fs.Remove(b.path)
		slog.Debug("file: no ballast yet", "path", b.path, "error", err.Error())
		return
	}
	b.exists = true
}

// allocate makes f take its size on the disk. Where the file system cannot be
// asked for that, it gets noise, which none stores in less space.
func (b *ballast) allocate(f vfs.File) error {
	if fd := f.Fd(); fd != vfs.InvalidFd {
		err := allocate(fd, b.size)
		if err == nil || isFull(err) {
			return err
		}
	}
	noise := make([]byte, 64<<10)
	source := rand.NewChaCha8([32]byte{})
	for left := b.size; left > 0; left -= int64(len(noise)) {
		noise = noise[:min(left, int64(len(noise)))]
		_, _ = source.Read(noise)
		if _, err := f.Write(noise); err != nil {
			return err
		}
	}
	return nil
}
