package pluginstore

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const exeSuffix = ""

// ownGroup starts a process in a group of its own: what the terminal sends to
// the host's group does not reach it, and it can be killed with its children.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit returns when the process has exited, and leaves it to be reaped:
// Go has no waitid here, and a kernel queue tells of the exit without taking
// it.
func awaitExit(pid int) {
	for {
		err := tellOfExit(pid)
		// ESRCH: it has exited already.
		if err == nil || err == unix.ESRCH {
			return
		}
		// There is no descriptor or no memory for the queue. To return would have
		// a plugin that runs taken for one that does not.
		time.Sleep(100 * time.Millisecond)
	}
}

func tellOfExit(pid int) error {
	queue, err := unix.Kqueue()
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(queue) }()
	exit := unix.Kevent_t{Ident: uint64(pid), Filter: unix.EVFILT_PROC, Flags: unix.EV_ADD | unix.EV_ONESHOT, Fflags: unix.NOTE_EXIT}
	var told [1]unix.Kevent_t
	for {
		n, err := unix.Kevent(queue, []unix.Kevent_t{exit}, told[:], nil)
		switch {
		case err == unix.EINTR:
			// To add the event again only replaces it.
		case err != nil:
			return err
		case n == 1 && told[0].Flags&unix.EV_ERROR != 0:
			return unix.Errno(told[0].Data)
		case n == 1:
			return nil
		}
	}
}

// killGroup ends the process and all that it started and left in its group.
func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }
