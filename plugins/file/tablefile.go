package main

import (
	"errors"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// tableFile is a table that is being written. Pebble survives its failure: it
// removes the table and begins again at once.
type tableFile struct {
	vfs.File
	fs         *files
	compaction bool
	unlooked   int // bytes written since the last look at the disk
}

// flushCategory is what pebble calls the writing of a memtable.
const flushCategory = "pebble-memtable-flush"

const (
	// lookAfter is how much of a compaction is written between two looks.
	lookAfter = 1 << 20
	// secondTry is how long a table waits before it is begun again, unless
	// there is room before.
	secondTry = time.Second
)

// errClosing ends a compaction, so that closing does not wait for it.
var errClosing = errors.New("the store is closing")

func (fs *files) createTable(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if fs.frozen.Load() && fs.opening.Load() {
		// Opening fails, but not before this is written.
		return fs.void.Create("forgotten", category)
	}
	compaction := category != flushCategory
	if room := fs.awaitRoom(compaction); compaction {
		switch {
		case fs.closing.Load():
			return nil, errClosing
		case !room:
			return nil, syscall.ENOSPC
		}
	}
	f, err := fs.FS.Create(name, category)
	if err == nil {
		err = private(f)
	}
	if err != nil {
		return nil, fs.tableFailed(compaction, err)
	}
	return &tableFile{File: f, fs: fs, compaction: compaction}, nil
}

// awaitRoom waits a while if the disk is full, since pebble begins again at
// once, and reports whether there is room.
func (fs *files) awaitRoom(compaction bool) bool {
	for waited := time.Duration(0); waited < secondTry && !fs.closing.Load(); waited += catchUpEvery {
		if !fs.full.Load() && !(compaction && fs.room.half()) {
			return true
		}
		time.Sleep(catchUpEvery)
		if fs.full.Load() {
			fs.full.Store(fs.room.half())
		}
	}
	return false
}

// tableFailed notes what a failure means for the store. Pebble tells the
// listener of those that are no full disk.
func (fs *files) tableFailed(compaction bool, err error) error {
	switch {
	case fs.opening.Load():
		// Pebble would begin again for ever, and never open.
		fs.freeze("the log could not be replayed", err)
	case isFull(err) && !compaction:
		fs.full.Store(true)
	}
	return err
}

func (f *tableFile) Write(p []byte) (int, error) {
	if f.compaction {
		if f.fs.closing.Load() {
			return 0, errClosing
		}
		// It must not take the room that the log and the memtables need.
		if f.unlooked += len(p); f.unlooked > lookAfter {
			f.unlooked = 0
			if f.fs.room.half() {
				return 0, syscall.ENOSPC
			}
		}
	}
	n, err := f.File.Write(p)
	if err != nil {
		err = f.fs.tableFailed(f.compaction, err)
	}
	return n, err
}

func (f *tableFile) Sync() error {
	if err := f.File.Sync(); err != nil {
		return f.fs.tableFailed(f.compaction, err)
	}
	return nil
}

func (f *tableFile) SyncData() error {
	if err := f.File.SyncData(); err != nil {
		return f.fs.tableFailed(f.compaction, err)
	}
	return nil
}
