//go:build unix

package shared

import "syscall"

// endGroup kills the process group that this process leads, and so itself. It
// returns if it leads none: the group is somebody else's then.
func endGroup() {
	if pid := syscall.Getpid(); syscall.Getpgrp() == pid {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}
