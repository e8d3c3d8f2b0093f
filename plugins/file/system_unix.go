//go:build unix

package main

import (
	"errors"
	"os"
	"syscall"
)

// supported says why the store cannot run on this system.
func supported() error { return nil }

// lockFile makes f ours alone until it is closed. taken says that it is another's.
// Not fcntl: two stores of one process would both get that.
func lockFile(f *os.File) (taken bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK), err
}

// chmod sets the mode of an open file.
func chmod(fd uintptr, mode os.FileMode) error {
	return os.NewSyscallError("fchmod", syscall.Fchmod(int(fd), uint32(mode.Perm())))
}

// mapFile returns the first size bytes of the file as memory.
func mapFile(fd uintptr, size int) ([]byte, error) {
	return syscall.Mmap(int(fd), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
}

func unmapFile(memory []byte) error { return syscall.Munmap(memory) }

// ownedByAnother says whose a file is that does not belong to this user.
func ownedByAnother(info os.FileInfo) (owner int, other bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(s.Uid), int(s.Uid) != os.Geteuid()
}
