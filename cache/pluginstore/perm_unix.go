//go:build unix

package pluginstore

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// guarded refuses a file or directory that somebody besides this user and root
// can write to.
func guarded(path string, info fs.FileInfo) error {
	if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Uid != 0 && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to another user (%d); if it should be yours: chown %d %s", ErrUntrusted, path, s.Uid, os.Geteuid(), quotePath(path))
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%w: others can write to %s (%v); if that is not wanted: chmod go-w %s", ErrUntrusted, path, info.Mode(), quotePath(path))
	}
	return nil
}

// anybodyRenames reports whether all users may rename what is in the
// directory; the sticky bit keeps them to what is theirs.
func anybodyRenames(dir fs.FileInfo) bool {
	return dir.Mode().Perm()&0o002 != 0 && dir.Mode()&fs.ModeSticky == 0
}

// mayRun says whether the system lets this user run the file. For a file with
// the mode to be run, only a file system mounted noexec says no.
func mayRun(file string) error { return unix.Access(file, unix.X_OK) }
