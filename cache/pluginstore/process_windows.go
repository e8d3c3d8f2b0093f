package pluginstore

import (
	"syscall"

	"golang.org/x/sys/windows"
)

const exeSuffix = ".exe"

// ownGroup keeps what is typed at the host's console from the process. It is
// not a group that could be killed: Windows has none.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// awaitExit returns when the process has exited. The handle that os/exec holds
// keeps its number until it is reaped.
func awaitExit(pid int) {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return
	}
	defer func() { _ = windows.CloseHandle(h) }()
	_, _ = windows.WaitForSingleObject(h, windows.INFINITE)
}

// killGroup ends the process. What it has started goes on.
func killGroup(pid int) {
	h, err := windows.OpenProcess(windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		return
	}
	defer func() { _ = windows.CloseHandle(h) }()
	_ = windows.TerminateProcess(h, 1)
}
