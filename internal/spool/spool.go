// Package spool keeps writes in a file until whoever they are for has been told of
// them. It outlives its process: what was appended before a process was killed is
// found by the next. It does not force the disk: when the machine loses its power,
// what was appended in the last seconds may be gone.
//
// A file belongs to one process at a time. It is a header and records:
//
//	record    payload's length 4  CRC-32C of the payload 4  payload
//	payload   1 if there is an entry, else 0 1  expiry 8  key's length 4  key  value
//
// Numbers are little-endian. An expiry is milliseconds since 1970, 0 for never. The
// last record of a key counts.
package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// Write is what was written under a key: an entry, or nothing, which empties it.
type Write struct {
	Key   string
	Entry *cache.Entry
}

// ErrLocked: another process has the file.
var ErrLocked = errors.New("another process has it")

// File is the spool of one store. Its methods are not safe for concurrent use.
type File struct {
	path    string
	lock    *os.File
	file    *os.File
	size    int64 // of what is whole
	damaged string
	broken  error // nothing can be appended any more
}

const (
	header      = "harpia writes 1\n"
	recordHead  = 8
	payloadHead = 13
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Open opens the file with that name in a directory, which is made if need be and
// must be this user's alone, and returns what is in it, oldest first. The error wraps
// ErrLocked if another process has it.
func Open(dir, name string) (*File, []Write, error) {
	if err := privateDir(dir); err != nil {
		return nil, nil, err
	}
	f := &File{path: filepath.Join(dir, name)}
	var err error
	if f.lock, err = lock(f.path + ".lock"); err != nil {
		return nil, nil, fmt.Errorf("spool: %s: %w", f.path, err)
	}
	writes, err := f.read()
	if err != nil {
		_ = f.Close()
		return nil, nil, fmt.Errorf("spool: %w", err)
	}
	return f, writes, nil
}

// Path is where the file is.
func (f *File) Path() string { return f.path }

// Damaged is where a copy of the file is if it was damaged; what is before the damage
// was read. "": it was not.
func (f *File) Damaged() string { return f.damaged }

// read opens the file and reads it. A last record that is not all there was never
// acknowledged, and is cut off.
func (f *File) read() ([]Write, error) {
	var err error
	if f.file, err = os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|noFollow, 0o600); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(f.file)
	if err != nil {
		return nil, err
	}
	writes, whole, bad := parse(text)
	if bad {
		f.damaged = f.path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000")
		if err := os.WriteFile(f.damaged, text, 0o600); err != nil {
			return nil, err
		}
	}
	return writes, f.cut(int64(whole))
}

// parse returns the writes in a file, how much of it is whole, and whether what comes
// after that is damage, and not the beginning of a record.
func parse(text []byte) (writes []Write, whole int, damaged bool) {
	rest, ok := bytes.CutPrefix(text, []byte(header))
	if !ok {
		return nil, 0, len(text) > 0 && !bytes.HasPrefix([]byte(header), text)
	}
	for len(rest) >= recordHead {
		n := int64(binary.LittleEndian.Uint32(rest))
		sum := binary.LittleEndian.Uint32(rest[4:])
		if int64(len(rest)-recordHead) < n {
			break
		}
		payload := rest[recordHead : recordHead+int(n)]
		w, ok := parsePayload(payload)
		if !ok || crc32.Checksum(payload, castagnoli) != sum {
			return writes, len(text) - len(rest), true
		}
		writes = append(writes, w)
		rest = rest[recordHead+len(payload):]
	}
	return writes, len(text) - len(rest), false
}

func parsePayload(p []byte) (w Write, ok bool) {
	if len(p) < payloadHead || p[0] > 1 {
		return w, false
	}
	expires, n := int64(binary.LittleEndian.Uint64(p[1:])), int64(binary.LittleEndian.Uint32(p[9:]))
	rest := p[payloadHead:]
	if n > int64(len(rest)) || p[0] == 0 && (expires != 0 || n != int64(len(rest))) {
		return w, false
	}
	w.Key = string(rest[:n])
	if p[0] == 1 {
		w.Entry = &cache.Entry{Value: bytes.Clone(rest[n:])}
		w.Entry.Expires = cache.ExpiryAt(expires)
	}
	return w, true
}

func appendRecord(b []byte, w Write) []byte {
	le := binary.LittleEndian
	from := len(b)
	b = append(b, make([]byte, recordHead+payloadHead)...)
	p := b[from+recordHead:]
	le.PutUint32(p[9:], uint32(len(w.Key)))
	var value []byte
	if w.Entry != nil {
		p[0] = 1
		le.PutUint64(p[1:], uint64(cache.ExpiryMillis(w.Entry.Expires)))
		value = w.Entry.Value
	}
	b = append(append(b, w.Key...), value...)
	payload := b[from+recordHead:]
	le.PutUint32(b[from:], uint32(len(payload)))
	le.PutUint32(b[from+4:], crc32.Checksum(payload, castagnoli))
	return b
}

// Append adds a write. After an error it is not there.
func (f *File) Append(w Write) error {
	if f.broken != nil {
		return f.broken
	}
	var b []byte
	if f.size == 0 {
		b = append(b, header...)
	}
	b = appendRecord(b, w)
	if _, err := f.file.WriteAt(b, f.size); err != nil {
		if again := f.cut(f.size); again != nil {
			f.broken = fmt.Errorf("spool: %w", again)
		}
		return fmt.Errorf("spool: %w", err)
	}
	f.size += int64(len(b))
	return nil
}

// cut leaves the first n bytes.
func (f *File) cut(n int64) error {
	if err := f.file.Truncate(n); err != nil {
		return err
	}
	f.size = n
	return nil
}

// Reset leaves only these writes in the file, in one step.
func (f *File) Reset(writes []Write) error {
	if len(writes) == 0 {
		if f.size == 0 {
			return nil
		}
		return f.cut(0)
	}
	b := []byte(header)
	for _, w := range writes {
		b = appendRecord(b, w)
	}
	next, err := os.OpenFile(f.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC|noFollow, 0o600)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	_, err = next.Write(b)
	if err == nil {
		err = os.Rename(next.Name(), f.path)
	}
	if err != nil {
		_ = next.Close()
		_ = os.Remove(next.Name())
		return fmt.Errorf("spool: %w", err)
	}
	_ = f.file.Close()
	f.file, f.size, f.broken = next, int64(len(b)), nil
	return nil
}

// Empty reports whether nothing is in the file.
func (f *File) Empty() bool { return f.size == 0 }

// Close lets others open the file. An empty one is removed.
func (f *File) Close() error {
	var err error
	if f.file != nil {
		if f.size == 0 {
			err = os.Remove(f.path)
		}
		err = errors.Join(err, f.file.Close())
	}
	// While it is locked: whoever waits for it finds that it is not the one.
	return errors.Join(err, os.Remove(f.lock.Name()), f.lock.Close())
}
