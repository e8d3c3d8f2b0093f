package pluginstore

import (
	"fmt"
	"os"
	"path/filepath"
)

// guardedDir refuses a directory in which others can put or swap files: its
// own mode lets them, or it stands in one where all may rename what is not
// theirs.
func guardedDir(dir string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return fmt.Errorf("pluginstore: %w", err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return fmt.Errorf("pluginstore: %w", err)
	}
	if err := guarded(real, info); err != nil {
		return err
	}
	for above := filepath.Dir(real); ; above = filepath.Dir(above) {
		info, err := os.Stat(above)
		if err != nil {
			return fmt.Errorf("pluginstore: %w", err)
		}
		if anybodyRenames(info) {
			return fmt.Errorf("%w: anybody may rename what is in %s (%v), and %s is below it; if that is not wanted: chmod o-w %s", ErrUntrusted, above, info.Mode(), real, quotePath(above))
		}
		if above == filepath.Dir(above) {
			return nil
		}
	}
}
