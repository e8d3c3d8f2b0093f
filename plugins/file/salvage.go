package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/harpia-go/harpia/cache"
)

// A store refuses to open when a file of it is damaged. Salvaging reads its tables and
// logs one by one, without pebble's tree, so that damage costs what it hit and no more:
// a block of a table, a record of a log. Of all writes of a key that can be read, the
// one with the highest sequence number is in force. The directory is not changed.

// write is a record of a table or a log.
type write struct {
	key   []byte // with its space
	seq   uint64
	value []byte
	gone  bool
}

// deleted is a range of keys whose writes before seq were removed.
type deleted struct {
	from, to []byte
	seq      uint64
}

// writeOf returns a write without its value. Not all kinds are writes.
func writeOf(kind pebble.InternalKeyKind, key []byte, seq uint64) (write, bool) {
	switch kind {
	case pebble.InternalKeyKindSet, pebble.InternalKeyKindSetWithDelete:
		return write{key: key, seq: seq}, true
	case pebble.InternalKeyKindDelete, pebble.InternalKeyKindSingleDelete, pebble.InternalKeyKindDeleteSized:
		return write{key: key, seq: seq, gone: true}, true
	}
	return write{}, false
}

// kept is what is known of a key. There is one for each key of the store.
type kept struct {
	seq     uint64
	size    int64
	live    bool
	expired bool
}

type salvage struct {
	ctx    context.Context
	fs     vfs.FS
	dir    string
	boot   [36]byte
	now    int64
	to     *Store // nil: nothing is copied
	report *report

	marks   marks
	marked  bool
	files   sources
	removed []deleted
	newest  map[string]kept
}

// run reads the store and copies what it holds. Its errors are those of copying.
func (s *salvage) run() error {
	s.newest = make(map[string]kept)
	if err := s.find(); err != nil {
		return err
	}
	// What is newer is mostly in files with higher numbers, and need not be replaced
	// when it comes first. Two writes have the same sequence number, 0, only in a table
	// and in the one that it was compacted into.
	var tables, logs []uint64
	for i := len(s.files.tables) - 1; i >= 0; i-- {
		if s.tableRanges(s.files.tables[i]) {
			tables = append(tables, s.files.tables[i])
		}
	}
	for i := len(s.files.logs) - 1; i >= 0; i-- {
		if s.logRanges(s.files.logs[i]) {
			logs = append(logs, s.files.logs[i])
		}
	}
	s.report.Tables, s.report.Logs = len(tables), len(logs)
	for _, num := range logs {
		if err := s.logEntries(num); err != nil {
			return err
		}
	}
	for _, num := range tables {
		if err := s.tableEntries(num); err != nil {
			return err
		}
	}
	for key, k := range s.newest {
		switch {
		case k.live:
			s.report.Entries++
			s.report.Bytes += int64(len(key)) + k.size
		case k.expired:
			s.report.Expired++
		}
	}
	return nil
}

// find finds out which files are to be read.
func (s *salvage) find() error {
	all, err := filesIn(s.fs, s.dir)
	if err != nil {
		return err
	}
	if s.marks, s.marked, err = readMarks(s.fs, s.dir); err != nil || !s.marked {
		s.report.lost(markName, 0, 0, "how far the last log was written is unknown%s", because(err))
	}
	if s.files, err = filesInForce(s.fs, s.dir, s.marks, s.marked); err != nil {
		s.report.lost("MANIFEST", 0, 0, "which files are in force is unknown, so all were read%s", because(err))
		s.files = all
	}
	if !s.marked || s.marks.log == 0 || s.expected() == 0 {
		return nil
	}
	for _, num := range all.logs {
		if num == s.marks.log {
			return nil
		}
	}
	s.report.lost(logName(s.marks.log), 0, s.expected(), "the log is missing")
	return nil
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// expected is how far the last log must reach.
func (s *salvage) expected() int64 {
	if s.marks.boot == s.boot && s.boot != [36]byte{} {
		return s.marks.logWritten
	}
	return s.marks.logSynced
}

func logName(num uint64) string   { return fmt.Sprintf("%06d.log", num) }
func tableName(num uint64) string { return fmt.Sprintf("%06d.sst", num) }

func (s *salvage) path(name string) string { return s.fs.PathJoin(s.dir, name) }

// sizeOf is how long a file is; 0 if that is not known.
func (s *salvage) sizeOf(name string) int64 {
	info, err := s.fs.Stat(s.path(name))
	if err != nil {
		return 0
	}
	return info.Size()
}

// tableRanges reads which ranges a table removes, and reports whether the table can be
// read.
func (s *salvage) tableRanges(num uint64) (ok bool) {
	name := tableName(num)
	t, err := s.openTable(name)
	if err != nil {
		s.report.lost(name, 0, s.sizeOf(name), "the table cannot be opened: %v", err)
		return false
	}
	defer t.close()
	if err := t.ranges(func(d deleted) { s.removed = append(s.removed, d) }); err != nil {
		at := t.layout.RangeDel
		s.report.lost(name, int64(at.Offset), int64(at.Offset+at.Length), "what was cleared: %v", err)
	}
	return true
}

func (s *salvage) openTable(name string) (t *tableReader, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damaged("%v", p)
		}
	}()
	return openTable(s.fs, s.path(name))
}

func (s *salvage) tableEntries(num uint64) error {
	name := tableName(num)
	t, err := s.openTable(name)
	if err != nil {
		return fmt.Errorf("%s was readable and is not any more: %w", name, err)
	}
	defer t.close()
	return t.entries(func(w write) error { return s.take(name, w) }, func(from, to int64, after, upTo []byte, cause error) {
		s.report.lost(name, from, to, "%s: %v", between(after, upTo), cause)
	})
}

// between says of a damaged block which entries were in it.
func between(after, upTo []byte) string {
	switch {
	case len(upTo) > 0 && upTo[0] < spaceEntry, len(after) > 0 && after[0] > spaceEntry:
		return "no entries, and an index that the copy makes anew"
	case len(after) > 0 && after[0] == spaceEntry && len(upTo) > 0 && upTo[0] == spaceEntry:
		return fmt.Sprintf("entries after the key %.40q and not after %.40q", after[1:], upTo[1:])
	case len(upTo) > 0 && upTo[0] == spaceEntry:
		return fmt.Sprintf("entries whose keys are not after %.40q", upTo[1:])
	case len(after) > 0 && after[0] == spaceEntry:
		return fmt.Sprintf("entries after the key %.40q", after[1:])
	}
	return "entries"
}

// logRanges reads which ranges a log removes, and what of the log cannot be read. It
// reports whether the log can be opened.
func (s *salvage) logRanges(num uint64) bool {
	name := logName(num)
	l := logReader{gap: func(from, to int64) { s.report.lost(name, from, to, "writes") }}
	size, err := s.readLog(num, &l, func(repr []byte) {
		err := eachOp(repr, func(kind pebble.InternalKeyKind, key, value []byte, seq uint64) {
			if kind == pebble.InternalKeyKindRangeDelete {
				s.removed = append(s.removed, deleted{from: bytes.Clone(key), to: bytes.Clone(value), seq: seq})
			}
		})
		if err != nil {
			s.report.lost(name, l.start, l.end, "a batch of writes: %v", err)
		}
	})
	switch {
	case err != nil:
		s.report.lost(name, 0, s.sizeOf(name), "the log cannot be opened: %v", err)
		return false
	case s.marked && num == s.marks.log:
		// What is after the expected end is what a crash left.
		if expected := s.expected(); l.end+logTail < expected {
			s.report.lost(name, l.end, expected, "writes")
		}
	case l.broken:
		s.report.lost(name, l.end, size, "writes")
	}
	return true
}

func (s *salvage) logEntries(num uint64) error {
	var failure error
	name, l := logName(num), logReader{gap: func(_, _ int64) {}} // logRanges reports them
	_, err := s.readLog(num, &l, func(repr []byte) {
		_ = eachOp(repr, func(kind pebble.InternalKeyKind, key, value []byte, seq uint64) {
			if w, ok := writeOf(kind, key, seq); ok && failure == nil {
				w.value = value
				failure = s.take(name, w)
			}
		}) // as of its error
	})
	return errors.Join(failure, err)
}

// readLog calls each with the batches in a log, and returns the log's size.
func (s *salvage) readLog(num uint64, l *logReader, each func(repr []byte)) (int64, error) {
	f, err := s.fs.Open(s.path(logName(num)))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	l.num, l.record = uint32(num), each
	l.read(f, info.Size())
	return info.Size(), nil
}

// eachOp calls each with the operations of a batch.
func eachOp(repr []byte, each func(kind pebble.InternalKeyKind, key, value []byte, seq uint64)) error {
	h, ok := batchrepr.ReadHeader(repr)
	if !ok {
		return damaged("it has no header")
	}
	seq := uint64(h.SeqNum)
	for r := batchrepr.Read(repr); ; {
		kind, key, value, ok, err := r.Next()
		if !ok || err != nil {
			return err
		}
		if kind == pebble.InternalKeyKindLogData {
			continue
		}
		each(kind, key, value, seq)
		seq++
	}
}

// take copies an entry, unless a newer write of its key is known.
func (s *salvage) take(file string, w write) error {
	if len(w.key) < 2 || w.key[0] != spaceEntry {
		return s.ctx.Err()
	}
	key := string(w.key[1:])
	before, known := s.newest[key]
	if known && w.seq <= before.seq || s.wasCleared(w) {
		return s.ctx.Err()
	}
	now := kept{seq: w.seq}
	var e cache.Entry
	if !w.gone {
		r, err := parseRecord(w.value)
		if err != nil {
			s.report.lost(file, 0, 0, "the entry of the key %.40q: %v", key, err)
			return nil
		}
		now.expired = r.expired(s.now)
		now.live, now.size = !now.expired, int64(len(r.value))
		if now.live && s.to != nil {
			e = r.entry()
		}
	}
	s.newest[key] = now
	switch {
	case s.to == nil:
		return s.ctx.Err()
	case now.live:
		return s.to.Set(s.ctx, key, e)
	case before.live:
		return s.to.Delete(s.ctx, key)
	}
	return s.ctx.Err()
}

func (s *salvage) wasCleared(w write) bool {
	for _, d := range s.removed {
		if w.seq < d.seq && bytes.Compare(d.from, w.key) <= 0 && bytes.Compare(w.key, d.to) < 0 {
			return true
		}
	}
	return false
}

// readStore reads the store in dir and copies its entries to to, unless that is nil.
func readStore(ctx context.Context, fs vfs.FS, dir string, to *Store) (report, error) {
	r := report{Dir: dir}
	s := salvage{ctx: ctx, fs: fs, dir: dir, boot: (&Store{}).boot(), now: time.Now().UnixMilli(), to: to, report: &r}
	return r, s.run()
}
