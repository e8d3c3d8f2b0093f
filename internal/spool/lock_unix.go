//go:build unix

package spool

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const noFollow = unix.O_NOFOLLOW

// lock makes the file at path, which is there only while it is locked, this
// process's.
func lock(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				err = ErrLocked
			}
			return nil, err
		}
		is, err := os.Stat(path)
		if has, failed := f.Stat(); err == nil && failed == nil && os.SameFile(is, has) {
			return f, nil
		}
		_ = f.Close() // who had it has removed it meanwhile
	}
}

// privateDir makes a directory that only this user can enter, or refuses one that
// others can.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	var s unix.Stat_t
	if err := unix.Stat(dir, &s); err != nil {
		return fmt.Errorf("spool: %s: %w", dir, err)
	}
	switch {
	case s.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("spool: %s is no directory", dir)
	case int(s.Uid) != os.Geteuid():
		return fmt.Errorf("spool: %s belongs to another user (%d): choose a directory of your own", dir, s.Uid)
	case s.Mode&0o077 != 0:
		return fmt.Errorf("spool: others can enter %s: chmod go-rwx it, or choose another directory", dir)
	}
	return nil
}
