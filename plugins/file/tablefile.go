package main

import (
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

const (
	// lookAfter is how much of a compaction is written between two looks.
	lookAfter = 1 << 20
	// secondTry is how long a table waits before it is begun again, unless
	// there is room before.
	secondTry = time.Second
)

func (fs *files) createTable(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	for waited := time.Duration(0); fs.full.Load() && waited < secondTry && !fs.closing.Load(); waited += catchUpEvery {
		time.Sleep(catchUpEvery)
		fs.full.Store(fs.room.half())
	}
	f, err := fs.FS.Create(name, category)
	if err == nil {
		err = private(f)
	}
	if err != nil {
		return nil, fs.noteFull(err)
	}
	return &tableFile{File: f, fs: fs, compaction: category != "pebble-memtable-flush", unlooked: lookAfter}, nil
}

// noteFull remembers a full disk for the next table.
func (fs *files) noteFull(err error) error {
	if !isFull(err) {
		return err
	}
	if fs.opening.Load() {
		// Opening would begin again for ever.
		fs.freeze("the log could not be replayed", err)
		return err
	}
	fs.full.Store(true)
	return err
}

func (f *tableFile) Write(p []byte) (int, error) {
	if f.compaction {
		// It must not take the room that the log and the memtables need.
		if f.unlooked += len(p); f.unlooked > lookAfter {
			f.unlooked = 0
			if f.fs.room.half() {
				return 0, f.fs.noteFull(syscall.ENOSPC)
			}
		}
	}
	n, err := f.File.Write(p)
	if err != nil {
		err = f.fs.noteFull(err)
	}
	return n, err
}

func (f *tableFile) Sync() error {
	if err := f.File.Sync(); err != nil {
		return f.fs.noteFull(err)
	}
	return nil
}

func (f *tableFile) SyncData() error {
	if err := f.File.SyncData(); err != nil {
		return f.fs.noteFull(err)
	}
	return nil
}
