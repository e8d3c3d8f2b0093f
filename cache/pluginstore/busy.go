package pluginstore

import (
	"errors"
	"os/exec"
	"syscall"
	"time"
)

// startCommand starts cmd, whose program may have been written just now. A
// child that another goroutine forked meanwhile holds the file open for
// writing until it has become its own program, and so long the system says
// that the file is busy (golang/go#22315).
func startCommand(cmd *exec.Cmd) error {
	// A Cmd serves one start only.
	fresh := *cmd
	err := cmd.Start()
	for pause := time.Millisecond; errors.Is(err, syscall.ETXTBSY) && pause < time.Second; pause *= 2 {
		time.Sleep(pause)
		*cmd = fresh
		err = cmd.Start()
	}
	return err
}
