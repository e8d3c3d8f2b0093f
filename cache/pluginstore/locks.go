package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// maxLock bounds a lock file; a pin has at most some 300 bytes.
const maxLock = 1 << 20

// DefaultLocks returns the lock files that are read: plugins.lock beside the
// running program, which comes with the plugins that were built with it, and
// the user's own, harpia/plugins.lock in the user's configuration directory. A
// lock file in another plugin directory counts for nothing: a directory that
// was downloaded would pin itself.
func DefaultLocks() []string {
	var locks []string
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			locks = append(locks, filepath.Join(filepath.Dir(exe), LockFile))
		}
	}
	if lock, err := userLock(); err == nil {
		locks = append(locks, lock)
	}
	return locks
}

// userLock is the lock file that Trust writes unless told otherwise.
func userLock() (string, error) {
	dir, err := os.UserConfigDir()
	if err == nil && !filepath.IsAbs(dir) {
		err = fmt.Errorf("%s is not absolute", dir)
	}
	if err != nil {
		return "", fmt.Errorf("pluginstore: you have no lock file of your own: %w; name another with --lock", err)
	}
	return filepath.Join(dir, "harpia", LockFile), nil
}

// readLock reads a lock file; one that is not there pins nothing. One that
// others can write to is refused: they would say what this user runs.
func readLock(file string) (lockText, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return lockText{}, nil
	}
	if err != nil {
		return lockText{}, fmt.Errorf("pluginstore: read the lock file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return lockText{}, fmt.Errorf("pluginstore: read the lock file: %w", err)
	}
	if err := guarded(file, info); err != nil {
		return lockText{}, err
	}
	if err := guardedDir(filepath.Dir(file)); err != nil {
		return lockText{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxLock+1))
	if err != nil {
		return lockText{}, fmt.Errorf("pluginstore: read the lock file: %w", err)
	}
	if len(text) > maxLock {
		return lockText{}, fmt.Errorf("pluginstore: %s has more than %d bytes and is no lock file", file, maxLock)
	}
	return parseLock(file, text)
}

// writePin puts p into the lock file. Writers exclude one another by creating
// the new text's file, so none loses another's pin, and the file is whole at
// every moment because the new text is renamed over it.
func writePin(ctx context.Context, file string, p Pin) error {
	fail := func(err error) error { return fmt.Errorf("pluginstore: write the lock file %s: %w", file, err) }
	if err := prepareLock(file); err != nil {
		return err
	}
	fresh := file + ".new"
	f, err := createAlone(ctx, fresh)
	if errors.Is(err, fs.ErrExist) {
		return fail(fmt.Errorf("it is being written by another process; if that is not so, one was killed: rm %s", fresh))
	}
	if err != nil {
		return fail(err)
	}
	defer func() {
		if f != nil {
			_ = f.Close()
			_ = os.Remove(fresh)
		}
	}()
	l, err := readLock(file)
	if err != nil {
		return err
	}
	l.put(p)
	if _, err := f.Write(l.format()); err != nil {
		return fail(err)
	}
	if err := f.Close(); err != nil {
		return fail(err)
	}
	if err := os.Rename(fresh, file); err != nil {
		return fail(err)
	}
	f = nil
	return nil
}

// prepareLock makes the lock file's directory, and refuses one that the lock
// file could not be read from.
func prepareLock(file string) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("pluginstore: the directory of the lock file: %w", err)
	}
	return guardedDir(dir)
}

// createAlone creates a file that is not there; while it is, another writes.
// The digests are no secret, and beside a host that was installed for all
// users, all users read them.
func createAlone(ctx context.Context, file string) (*os.File, error) {
	const patience, pause = 5 * time.Second, 5 * time.Millisecond
	for started := time.Now(); ; {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if !errors.Is(err, fs.ErrExist) || time.Since(started) > patience {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}
