package shared

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// countsSize is the file's: for each count a number of eight bytes,
// little-endian.
const countsSize = 8 * numCounts

// createCounts makes the file in dir, and maps it: what is stored there is in the
// system's memory, and stays when the process is killed.
func createCounts(dir string) (path string, counts *[numCounts]atomic.Uint64, err error) {
	if order := binary.NativeEndian.Uint16([]byte{1, 0}); order != 1 {
		return "", nil, errors.ErrUnsupported
	}
	path = filepath.Join(dir, "sent")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	// Written, not only made longer: a full disk shows here, and not at a store.
	if _, err := f.Write(make([]byte, countsSize)); err != nil {
		return "", nil, err
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, countsSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return "", nil, os.NewSyscallError("mmap", err)
	}
	return path, (*[numCounts]atomic.Uint64)(unsafe.Pointer(&m[0])), nil
}

// readCounts reads the file of a process that has ended, and is not trusted to
// have left a file there.
func readCounts(path string) (counts [numCounts]uint64, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return counts, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return counts, err
	}
	if !info.Mode().IsRegular() || info.Size() != countsSize {
		return counts, errors.New("shared: what the plugin counted as sent is not there")
	}
	var all [countsSize]byte
	if _, err := io.ReadFull(f, all[:]); err != nil {
		return counts, err
	}
	for which := range counts {
		counts[which] = binary.LittleEndian.Uint64(all[8*which:])
	}
	return counts, nil
}
