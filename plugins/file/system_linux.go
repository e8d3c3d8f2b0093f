package main

import (
	"os"
	"syscall"
)

// allocate makes the file that fd is take size on the disk.
func allocate(fd uintptr, size int64) error {
	return syscall.Fallocate(int(fd), 0, 0, size)
}

// bootID names the current boot of the machine, if the system tells it.
func bootID() (id [36]byte) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return [36]byte{}
	}
	copy(id[:], b)
	return id
}
