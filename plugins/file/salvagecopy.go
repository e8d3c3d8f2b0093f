package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// unfinished is the directory in the new one where the copy is made. A store does not
// open a directory that holds it, so half a copy is never taken for a whole one.
const unfinished = "harpia.unfinished"

// salvageStore reads the store in dir, which no process may be using, and copies what
// can be read to newDir, which must be empty or missing. Without newDir nothing is
// copied.
func salvageStore(ctx context.Context, dir, newDir string) (r report, err error) {
	if err := supported(); err != nil {
		return report{}, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return report{}, unusable(dir, err)
	}
	lock, err := lockAsItIs(dir)
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, lock()) }()
	if newDir == "" {
		return readStore(ctx, vfs.Default, dir, nil)
	}
	if newDir, err = filepath.Abs(newDir); err != nil {
		return report{}, unusable(newDir, err)
	}
	made, err := prepareCopy(dir, newDir)
	if err != nil {
		return report{}, err
	}
	work := filepath.Join(newDir, unfinished)
	if r, err = copyStore(ctx, dir, work); err == nil {
		err = finishCopy(work, newDir)
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(work))
		if made {
			_ = os.Remove(newDir)
		}
		return report{}, err
	}
	r.NewDir = newDir
	return r, nil
}

// isDamaged is the error for data in dir that cannot be read; dir may be unknown.
func isDamaged(dir string, err error) error {
	data, store := "the data", "file:DIR"
	if dir != "" {
		data, store = "the data in "+dir, quoted("file:"+dir)
	}
	return fmt.Errorf("file: %s is damaged: restore the directory from a copy, or save what can be read: host doctor --store %s --salvage NEWDIR: %w: %w",
		data, store, cache.ErrUnavailable, err)
}

// quoted writes text as a shell reads it.
func quoted(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,=-") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// lockAsItIs locks the store in dir and writes nothing there.
func lockAsItIs(dir string) (unlock func() error, err error) {
	names, err := listDir(dir)
	if err != nil {
		return nil, unusable(dir, err)
	}
	store := false
	for _, name := range names {
		store = store || name == markName || strings.HasPrefix(name, "MANIFEST-") || strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".log")
	}
	if !store {
		return nil, fmt.Errorf("%w: dir: %s holds no store of this kind", shared.ErrSetting, dir)
	}
	f, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, nil // no process has ever used it here
	}
	if err != nil {
		return nil, unusable(dir, err)
	}
	taken, err := lockFile(f)
	if taken {
		err = fmt.Errorf("file: %s is in use by %s: end that first: %w", dir, holder(f), cache.ErrUnavailable)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f.Close, nil
}

// prepareCopy makes newDir, or checks that it is empty.
func prepareCopy(dir, newDir string) (made bool, err error) {
	if inside(dir, newDir) {
		return false, fmt.Errorf("%w: %s is in %s, which is not to be changed", shared.ErrSetting, newDir, dir)
	}
	names, err := listDir(newDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		made, err = true, makeDir(vfs.Default, newDir)
	case err == nil:
		for _, name := range names {
			if name != "lost+found" {
				return false, fmt.Errorf("%w: %s is not empty, it holds %s: name an empty directory or one that is not there yet", shared.ErrSetting, newDir, name)
			}
		}
	}
	if err != nil {
		return false, unusable(newDir, err)
	}
	return made, nil
}

// inside reports whether dir is path or above it.
func inside(dir, path string) bool {
	info, err := os.Stat(dir)
	for last := ""; err == nil && path != last; last, path = path, filepath.Dir(path) {
		if other, err := os.Stat(path); err == nil && os.SameFile(info, other) {
			return true
		}
	}
	return false
}

func copyStore(ctx context.Context, dir, work string) (r report, err error) {
	to := &Store{clock: wallClock{}}
	if err := to.open(vfs.Default, config{dir: work, mode: syncNever}); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if r, err = readStore(ctx, vfs.Default, dir, to); err == nil {
		err = to.Flush(ctx)
	}
	return r, err
}

// finishCopy moves the copy from work to newDir, the watermark last: without it
// newDir is no store.
func finishCopy(work, newDir string) error {
	names, err := listDir(work)
	if err != nil {
		return err
	}
	for _, last := range []bool{false, true} {
		for _, name := range names {
			if (name == markName) == last {
				if err := os.Rename(filepath.Join(work, name), filepath.Join(newDir, name)); err != nil {
					return err
				}
			}
		}
		if last {
			if err := os.Remove(work); err != nil {
				return err
			}
		}
		if err := syncDir(vfs.Default, newDir); err != nil {
			return err
		}
	}
	return nil
}
