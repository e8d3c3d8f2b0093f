package main

import (
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	records "github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// sources are the numbers of the files that hold a store's data.
type sources struct {
	tables, logs []uint64 // ascending
}

// filesIn are all tables and logs in dir, whether they count or not.
func filesIn(fs vfs.FS, dir string) (sources, error) {
	names, err := fs.List(dir)
	if err != nil {
		return sources{}, err
	}
	var all sources
	for _, name := range names {
		for suffix, numbers := range map[string]*[]uint64{".sst": &all.tables, ".log": &all.logs} {
			if digits, ok := strings.CutSuffix(name, suffix); ok {
				if n, err := strconv.ParseUint(digits, 10, 64); err == nil {
					*numbers = append(*numbers, n)
				}
			}
		}
	}
	slices.Sort(all.tables)
	slices.Sort(all.logs)
	return all, nil
}

// filesInForce are the tables and logs that make up the store, by its manifest. The
// others in the directory are older, and what they hold may have been removed since.
func filesInForce(fs vfs.FS, dir string, m marks, marked bool) (s sources, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damaged("%v", p)
		}
	}()
	if marked {
		_, err = verifyManifest(fs, dir, m)
	} else {
		err = verifyUnmarked(fs, dir)
	}
	if err != nil {
		return sources{}, err
	}
	look := &lookOnly{FS: fs, empty: vfs.NewMem()}
	db, err := pebble.Open(dir, &pebble.Options{FS: look, ReadOnly: true, Logger: silence{}, FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		return sources{}, err
	}
	levels, err := db.SSTables()
	if err = errors.Join(err, db.Close()); err != nil {
		return sources{}, err
	}
	for _, level := range levels {
		for _, table := range level {
			s.tables = append(s.tables, uint64(table.FileNum))
		}
	}
	s.logs = look.logs
	slices.Sort(s.tables)
	slices.Sort(s.logs)
	return s, nil
}

// verifyUnmarked checks that the manifest can be read to its end, where no watermark
// says how far it reaches.
func verifyUnmarked(fs vfs.FS, dir string) error {
	desc, err := pebble.Peek(dir, fs)
	if err != nil {
		return err
	}
	if !desc.Exists {
		return damaged("the manifest in %s is missing", dir)
	}
	f, err := fs.Open(desc.ManifestFilename)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	var reached int64
	if err == nil {
		reached, err = recordsEnd(records.NewReader(f, 0))
	}
	if err = errors.Join(err, f.Close()); err == nil && reached+manifestTail < info.Size() {
		err = damaged("%s cannot be read after byte %d of %d", desc.ManifestFilename, reached, info.Size())
	}
	return err
}

// lookOnly is a file system on which nothing is changed. Logs are empty, so that a
// damaged one does not keep pebble from opening the rest; the opened ones are noted.
type lookOnly struct {
	vfs.FS
	empty *vfs.MemFS
	logs  []uint64
}

func (l *lookOnly) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	digits, ok := strings.CutSuffix(l.PathBase(name), ".log")
	if !ok {
		return l.FS.Open(name, opts...)
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return nil, err
	}
	l.logs = append(l.logs, n)
	f, err := l.empty.Create(digits, vfs.WriteCategoryUnspecified)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, err
	}
	return l.empty.Open(digits)
}

// Lock is what pebble calls for the lock that the caller has already.
func (l *lookOnly) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (l *lookOnly) Create(string, vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, os.ErrPermission
}

func (l *lookOnly) OpenReadWrite(string, vfs.DiskWriteCategory, ...vfs.OpenOption) (vfs.File, error) {
	return nil, os.ErrPermission
}

func (l *lookOnly) ReuseForWrite(_, _ string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, os.ErrPermission
}

func (l *lookOnly) Link(_, _ string) error             { return os.ErrPermission }
func (l *lookOnly) Remove(string) error                { return os.ErrPermission }
func (l *lookOnly) RemoveAll(string) error             { return os.ErrPermission }
func (l *lookOnly) Rename(_, _ string) error           { return os.ErrPermission }
func (l *lookOnly) MkdirAll(string, os.FileMode) error { return os.ErrPermission }
func (l *lookOnly) Unwrap() vfs.FS                     { return l.FS }

// silence drops pebble's log. What is wrong is in the errors.
type silence struct{}

func (silence) Infof(string, ...any)  {}
func (silence) Errorf(string, ...any) {}

// Fatalf may not return.
func (silence) Fatalf(format string, args ...any) { panic(damaged(format, args...)) }
