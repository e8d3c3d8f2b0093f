//go:build unix

package pluginstore

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

var heldName = regexp.MustCompile(`^` + heldPrefix + `[0-9]+$`)

// How much of the temporary directory a sweep looks at, and removes.
const (
	sweepNames = 10_000
	sweepMost  = 16
)

// sweep removes private directories, and the copies of programs in them, that
// hosts have left because they were killed. It does what it can.
func sweep(log *slog.Logger) {
	parent := privateParent()
	d, err := os.Open(parent)
	if err != nil {
		return
	}
	names, _ := d.Readdirnames(sweepNames)
	_ = d.Close()
	removed := 0
	for _, name := range names {
		dir := filepath.Join(parent, name)
		if removed == sweepMost || !heldName.MatchString(name) || !removeAbandoned(dir) {
			continue
		}
		removed++
		log.Debug("removed what a host that was killed had left", "dir", dir)
	}
}

// removeAbandoned removes a directory with the name of one that is held if
// nobody holds it, and reports whether it did.
func removeAbandoned(dir string) bool {
	// What leads elsewhere is not followed.
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false
	}
	if s, ok := info.Sys().(*syscall.Stat_t); !ok || int(s.Uid) != os.Geteuid() {
		return false
	}
	if lockDir(f) != nil || guardedDir(dir) != nil {
		return false
	}
	// Whoever held it may have removed it just now.
	if now, err := os.Lstat(dir); err != nil || !os.SameFile(now, info) {
		return false
	}
	return os.RemoveAll(dir) == nil
}
