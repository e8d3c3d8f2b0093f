package pluginstore

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const exeSuffix = ""

// ownGroup starts a process in a group of its own: what the terminal sends to
// the host's group does not reach it, and it can be killed with its children.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit returns when the process has exited, and leaves it to be reaped.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}

// killGroup ends the process and all that it started and left in its group.
func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }
