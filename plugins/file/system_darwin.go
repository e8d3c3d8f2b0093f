package main

import "golang.org/x/sys/unix"

// allocate makes the file that fd is take size on the disk.
func allocate(fd uintptr, size int64) error {
	err := unix.FcntlFstore(fd, unix.F_PREALLOCATE, &unix.Fstore_t{Flags: unix.F_ALLOCATEALL, Posmode: unix.F_PEOFPOSMODE, Length: size})
	if err != nil {
		return err
	}
	return unix.Ftruncate(int(fd), size)
}

// bootID names the current boot of the machine, if the system tells it.
func bootID() (id [36]byte) {
	s, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return [36]byte{}
	}
	copy(id[:], s)
	return id
}
