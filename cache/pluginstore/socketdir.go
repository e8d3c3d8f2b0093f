//go:build unix

package pluginstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// maxSocketPath is the longest path that a Unix socket may have everywhere;
// Linux would allow 108 bytes with the NUL, macOS has 104.
const maxSocketPath = 103

// socketDir makes a private directory for one plugin's socket, and for the copy
// of its program.
func socketDir() (*privateDir, error) {
	dir, err := os.MkdirTemp(privateParent(), shared.SocketDirPrefix)
	if err != nil {
		return nil, fmt.Errorf("%w: %w: no directory for the plugin's socket: %w; set TMPDIR to a short path that you can write to", ErrStart, cache.ErrUnavailable, err)
	}
	return holdDir(dir), nil
}

// privateParent is where private directories are made. Where the temporary
// directory's path is too long for a socket, /tmp serves.
func privateParent() string {
	// What go-plugin and the plugin append: /plugin-dirN/pluginN.
	const room = len("/" + heldPrefix + "1234567890/plugin-dir1234567890/plugin1234567890")
	if parent := os.TempDir(); len(parent)+room <= maxSocketPath {
		return parent
	}
	return "/tmp"
}

// holdDir locks a new directory for as long as this process has it open, and
// gives it the name of one that is locked. It has that name from no earlier
// moment on, so that one of the name that is not locked is nobody's.
func holdDir(dir string) *privateDir {
	f, err := os.Open(dir)
	if err != nil {
		return &privateDir{path: dir}
	}
	held := filepath.Join(filepath.Dir(dir), heldPrefix+strings.TrimPrefix(filepath.Base(dir), shared.SocketDirPrefix))
	if lockDir(f) != nil || os.Rename(dir, held) != nil {
		_ = f.Close() // not every file system has such locks
		return &privateDir{path: dir}
	}
	return &privateDir{path: held, held: f}
}

func lockDir(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
