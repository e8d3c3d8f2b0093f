//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// data is what the store that misbehaves holds. Beside its misbehaviour it is a
// good store: with a file, every change is with the kernel before it is
// acknowledged, so it outlives the process, and of several processes on one
// file each sees what the others wrote.
type data struct {
	mu      sync.Mutex
	entries map[string]entry
	file    *os.File // nil: in memory only
	alone   bool     // no other process uses the file
	read    int64    // how much of the file is in entries
}

type entry struct {
	value   []byte
	expires int64 // unix milliseconds; 0: never
}

func (e entry) expired() bool { return e.expires != 0 && time.Now().UnixMilli() >= e.expires }

// openData opens the store of the file at path, or one in memory if path is
// empty.
func openData(path string, alone bool) (*data, error) {
	d := &data{entries: make(map[string]entry), alone: alone}
	if path == "" {
		return d, nil
	}
	var err error
	if d.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if !alone {
		return d, nil
	}
	if err := unix.Flock(int(d.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("another process has the store: %w", err)
	}
	return d, d.catchUp()
}

// do runs f with the store to itself and all that was written in view.
func (d *data) do(f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file != nil && !d.alone {
		fd := int(d.file.Fd())
		if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
			return err
		}
		defer func() { _ = unix.Flock(fd, unix.LOCK_UN) }()
		if err := d.catchUp(); err != nil {
			return err
		}
	}
	return f()
}

// get is called in do.
func (d *data) get(key string) (entry, bool) {
	e, ok := d.entries[key]
	if ok && e.expired() {
		return entry{}, false
	}
	return e, ok
}

// put is called in do.
func (d *data) put(key string, e entry) error { return d.change('s', key, e) }

// remove is called in do.
func (d *data) remove(key string) error { return d.change('d', key, entry{}) }

// clear is called in do.
func (d *data) clear(prefix string) error { return d.change('c', prefix, entry{}) }

func (d *data) change(op byte, key string, e entry) error {
	if d.file != nil {
		record := encode(op, key, e)
		if _, err := d.file.WriteAt(record, d.read); err != nil {
			return err
		}
		d.read += int64(len(record))
	}
	d.apply(op, key, e)
	return nil
}

func (d *data) apply(op byte, key string, e entry) {
	switch op {
	case 's':
		d.entries[key] = e
	case 'd':
		delete(d.entries, key)
	case 'c':
		for k := range d.entries {
			if strings.HasPrefix(k, key) {
				delete(d.entries, k)
			}
		}
	}
}

// catchUp reads what was appended to the file. A record that is not whole is
// one that its writer did not live to acknowledge; the next is written over it.
func (d *data) catchUp() error {
	info, err := d.file.Stat()
	if err != nil || info.Size() <= d.read {
		return err
	}
	text := make([]byte, info.Size()-d.read)
	if n, err := d.file.ReadAt(text, d.read); err != nil && !errors.Is(err, io.EOF) {
		return err
	} else {
		text = text[:n]
	}
	for {
		op, key, e, size := decode(text)
		if size == 0 {
			return d.file.Truncate(d.read)
		}
		d.apply(op, key, e)
		d.read += int64(size)
		if text = text[size:]; len(text) == 0 {
			return nil
		}
	}
}

// A record is the length and the checksum of its body, which is what was done,
// the expiry, the length of the key, the key and the value.
const (
	recordHead = 8
	bodyHead   = 13
)

func encode(op byte, key string, e entry) []byte {
	r := make([]byte, recordHead, recordHead+bodyHead+len(key)+len(e.value))
	r = append(r, op)
	r = binary.LittleEndian.AppendUint64(r, uint64(e.expires))
	r = binary.LittleEndian.AppendUint32(r, uint32(len(key)))
	r = append(append(r, key...), e.value...)
	binary.LittleEndian.PutUint32(r, uint32(len(r)-recordHead))
	binary.LittleEndian.PutUint32(r[4:], crc32.ChecksumIEEE(r[recordHead:]))
	return r
}

// decode returns the first record and its size, which is 0 if it is not whole.
func decode(text []byte) (op byte, key string, e entry, size int) {
	if len(text) < recordHead+bodyHead {
		return 0, "", entry{}, 0
	}
	length := int(binary.LittleEndian.Uint32(text))
	if length < bodyHead || length > len(text)-recordHead {
		return 0, "", entry{}, 0
	}
	body := text[recordHead : recordHead+length]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(text[4:]) {
		return 0, "", entry{}, 0
	}
	keyLength := int(binary.LittleEndian.Uint32(body[9:]))
	if keyLength > length-bodyHead {
		return 0, "", entry{}, 0
	}
	e.expires = int64(binary.LittleEndian.Uint64(body[1:]))
	e.value = bytes.Clone(body[bodyHead+keyLength:])
	return body[0], string(body[bodyHead : bodyHead+keyLength]), e, recordHead + length
}
