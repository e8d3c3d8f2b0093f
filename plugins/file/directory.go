package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// isOurs tells a directory of this store from one of somebody else's, by its
// names alone; a new one is neither. It changes nothing.
func isOurs(names []string) (ours bool, foreign string) {
	for _, name := range names {
		switch name {
		case markName:
			ours = true
		case lockName, "lost+found":
		default:
			foreign = name
		}
	}
	return ours, foreign
}

func listDir(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}

// prepareDir makes dir if it is missing, and returns its absolute path. It
// refuses, and leaves as it is, what is not a directory of this store's.
func prepareDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", unusable(dir, err)
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(vfs.Default, dir); err != nil {
			return "", unusable(dir, err)
		}
		return dir, nil
	}
	if err != nil {
		return "", unusable(dir, err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%w: dir: %s is a file: name a directory", shared.ErrSetting, dir)
	}
	names, err := listDir(dir)
	if err != nil {
		return "", unusable(dir, err)
	}
	ours, foreign := isOurs(names)
	if owner, other := ownedByAnother(info); ours && other {
		return "", fmt.Errorf("%w: dir: %s is a store of another user (%d), who could not open it any more: run as that user, or give it away with chown -R", shared.ErrSetting, dir, owner)
	}
	if !ours && foreign != "" {
		return "", fmt.Errorf("%w: dir: %s holds %s, which is not of this store: name an empty directory or one that is not there yet", shared.ErrSetting, dir, foreign)
	}
	return dir, nil
}

// makeDir makes dir, and what is missing above it, so that it is still there
// after a power failure.
func makeDir(below vfs.FS, dir string) error {
	if _, err := below.Stat(dir); err == nil {
		return nil
	}
	parent := below.PathDir(dir)
	if parent != dir {
		if err := makeDir(below, parent); err != nil {
			return err
		}
	}
	return errors.Join(below.MkdirAll(dir, 0o700), syncDir(below, parent))
}

// unusable explains why dir cannot be worked in: the setting is wrong if it is
// the directory, and the disk if it is that.
func unusable(dir string, err error) error {
	for _, theDir := range []error{fs.ErrPermission, syscall.EROFS, syscall.ENOTDIR, syscall.ENAMETOOLONG, fs.ErrInvalid} {
		if errors.Is(err, theDir) {
			return fmt.Errorf("%w: dir: %s cannot be used: %w: name a directory that this user may write to", shared.ErrSetting, dir, err)
		}
	}
	return opening(dir, err)
}

// unreadable explains why what dir holds cannot be opened.
func unreadable(dir string, err error) error {
	if pebble.IsCorruptionError(err) || errors.Is(err, errMark) || errors.Is(err, pebble.ErrDBDoesNotExist) {
		return isDamaged(dir, err)
	}
	return opening(dir, err)
}

func opening(dir string, err error) error {
	if errors.Is(err, cache.ErrUnavailable) || errors.Is(err, shared.ErrSetting) {
		return err
	}
	return fmt.Errorf("file: opening %s: %w: %w", dir, cache.ErrUnavailable, err)
}
