package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	records "github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// Bytes that may follow the last record of a log or a manifest without being
// one: what fills the rest of a block, and what ends a log.
const (
	manifestTail = 6
	logTail      = 18 + 11
)

// verify checks that the log and the manifest reach as far as the watermark
// says, and returns the marks to go on from. Pebble checks everything else
// itself.
func verify(fs vfs.FS, dir string, m marks, boot [36]byte) (marks, error) {
	if m.log == 0 {
		return m, nil // the store was never opened completely
	}
	m, err := verifyManifest(fs, dir, m)
	if err != nil {
		return m, err
	}
	return m, verifyLog(fs, dir, m, boot)
}

// verifyNew checks that a directory without marks has nothing else either.
func verifyNew(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	if _, other := isOurs(names); other != "" {
		return errMark
	}
	return nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{pebble.ErrCorruption}, args...)...)
}

// verifyManifest returns the marks with the manifest in force, the only one that
// counts from here on: the other may be what an attempt to open has left.
func verifyManifest(fs vfs.FS, dir string, m marks) (marks, error) {
	desc, err := pebble.Peek(dir, fs)
	if err != nil {
		return m, err
	}
	if !desc.Exists {
		return m, damaged("the manifest in %s is missing", dir)
	}
	name := desc.ManifestFilename
	num, _ := strconv.ParseUint(strings.TrimPrefix(fs.PathBase(name), "MANIFEST-"), 10, 64)
	var synced int64
	switch num {
	case m.manifest:
		synced = m.manifestSynced
	case m.lastManifest:
		synced = m.lastManifestSynced
	default:
		return m, damaged("%s is not the manifest that was written last", name)
	}
	f, err := fs.Open(name)
	if err != nil {
		return m, err
	}
	reached, err := recordsEnd(records.NewReader(f, 0))
	if err = errors.Join(err, f.Close()); err != nil {
		return m, err
	}
	if reached+manifestTail < synced {
		return m, damaged("%s cannot be read after byte %d, and %d were written", name, reached, synced)
	}
	m.manifest, m.manifestSynced = 0, 0
	m.lastManifest, m.lastManifestSynced = num, synced
	return m, nil
}

// recordsEnd returns where the last good record ends.
func recordsEnd(r *records.Reader) (int64, error) {
	for {
		end := r.Offset()
		rec, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, rec)
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), isBadRecord(err):
			return end, nil
		default:
			return 0, err
		}
	}
}

func isBadRecord(err error) bool {
	for _, bad := range []error{records.ErrInvalidChunk, records.ErrZeroedChunk, records.ErrUnexpectedEOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, bad) {
			return true
		}
	}
	return false
}

// verifyLog checks the last log. Pebble is strict with those before it. After
// a power failure the unsynced end of the log may have holes; what is behind
// the first one is cut off, or pebble would call it damage.
func verifyLog(fs vfs.FS, dir string, m marks, boot [36]byte) error {
	expect := m.logSynced
	sameBoot := m.boot == boot && boot != [36]byte{}
	if sameBoot {
		expect = m.logWritten
	}
	logs, err := wal.Scan(wal.Dir{FS: fs, Dirname: dir})
	if err != nil {
		return err
	}
	ll, ok := logs.Get(wal.NumWAL(m.log))
	if !ok {
		if expect > 0 {
			return damaged("the log %06d.log in %s is missing", m.log, dir)
		}
		return nil
	}
	reached, clean, err := logEnd(ll)
	if err != nil {
		return err
	}
	if reached+logTail < expect {
		return damaged("%06d.log in %s cannot be read after byte %d, and %d were written", m.log, dir, reached, expect)
	}
	if sameBoot || clean {
		return nil
	}
	if m.logWritten > reached {
		slog.Warn("file: the machine stopped before the newest writes were on stable storage; they are dropped", "dir", dir, "bytes", m.logWritten-reached)
	}
	_, err = cutLog(fs, dir, m.log)
	return err
}

// logEnd returns where the last good record ends, and whether nothing follows
// it that should be one.
func logEnd(ll wal.LogicalLog) (end int64, clean bool, err error) {
	r := ll.OpenForRead()
	for {
		_, at, err := r.NextRecord()
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return at.Physical, true, r.Close()
		case isBadRecord(err):
			return at.Physical, false, r.Close()
		default:
			return 0, false, errors.Join(err, r.Close())
		}
	}
}

// cutLog ends the log after its last whole record, and returns where that is.
// It needs no room.
func cutLog(fs vfs.FS, dir string, num uint64) (end int64, err error) {
	logs, err := wal.Scan(wal.Dir{FS: fs, Dirname: dir})
	if err != nil {
		return 0, err
	}
	ll, ok := logs.Get(wal.NumWAL(num))
	if !ok {
		return 0, damaged("the log %06d.log in %s is missing", num, dir)
	}
	if end, _, err = logEnd(ll); err != nil {
		return 0, err
	}
	_, name := ll.SegmentLocation(0)
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return 0, err
	}
	if t, ok := f.(interface{ Truncate(int64) error }); ok {
		err = t.Truncate(end)
	} else {
		err = errors.ErrUnsupported
	}
	return end, errors.Join(err, f.Sync(), f.Close())
}
