package pluginstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
)

// ErrUntrusted: the program is not one that the lock files pin, or others
// could change what decides that. Nothing of it was run.
var ErrUntrusted = errors.New("pluginstore: plugin is not trusted")

// ErrChanged: the program is pinned under its name with another digest. It
// wraps ErrUntrusted.
var ErrChanged = fmt.Errorf("%w: it is not what was pinned", ErrUntrusted)

// judge returns the pin by which the program at path is trusted. Of several
// lock files any may have it.
func judge(path, digest string, o *Options) (Pin, error) {
	name := programName(path)
	var other Pin
	var pinnedBy string
	for _, file := range o.Locks {
		l, err := readLock(file)
		if err != nil {
			return Pin{}, err
		}
		for _, p := range l.pins {
			if p.Name != name || p.Platform != thisPlatform {
				continue
			}
			if p.SHA256 == digest {
				return p, nil
			}
			other, pinnedBy = p, file
		}
	}
	command := "host plugins trust " + quotePath(path)
	if pinnedBy != "" {
		return Pin{}, fmt.Errorf("%w: %s has sha256:%s, and %s pins %s %s with sha256:%s; if the change was wanted: %s",
			ErrChanged, path, digest, pinnedBy, other.Name, other.Version, other.SHA256, command)
	}
	return Pin{}, fmt.Errorf("%w: %s is pinned by no lock file (%s); if you want to run it: %s",
		ErrUntrusted, path, strings.Join(o.Locks, ", "), command)
}

// Check says whether Open would run the plugin that the URL names, and by
// which pin; an insecure program has the zero Pin. Nothing is run. Errors are
// those of Open: ErrUntrusted, ErrChanged, ErrNotFound, ErrURL.
func Check(storeURL string, o *Options) (Pin, error) {
	u, o, err := parseFor(storeURL, o)
	if err != nil || u.InProcess {
		return Pin{}, err
	}
	path, err := findGuarded(u, o)
	if err != nil {
		return Pin{}, err
	}
	if isInsecure(path, o) {
		return Pin{}, nil
	}
	f, err := openOriginal(path)
	if err != nil {
		return Pin{}, err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return Pin{}, fmt.Errorf("%w: read %s: %w", ErrNotFound, path, err)
	}
	return judge(path, hex.EncodeToString(sum.Sum(nil)), o)
}

// Trust pins the plugin that the URL names: from now on these bytes of it may
// run under its name. They are started once, to ask for their version; a
// program that is no store plugin is not pinned. The pin is written to the
// lock file, "" being the user's own, in place of one of the same name and
// platform.
func Trust(ctx context.Context, storeURL string, o *Options, lock string) (Pin, error) {
	u, o, err := parseFor(storeURL, o)
	if err != nil {
		return Pin{}, err
	}
	if lock == "" {
		lock, err = userLock()
	} else {
		lock, err = filepath.Abs(lock)
	}
	if err != nil {
		return Pin{}, err
	}
	// Nothing is started for a pin that could not be written.
	if err := prepareLock(lock); err != nil {
		return Pin{}, err
	}
	path, err := findGuarded(u, o)
	if err != nil {
		return Pin{}, err
	}
	prog, err := copyProgram(path)
	if err != nil {
		return Pin{}, err
	}
	defer prog.Close()
	in, err := begin(ctx, prog, o)
	if err != nil {
		return Pin{}, err
	}
	version := in.client.Info().Version
	in.abort()
	pin := Pin{Name: prog.name, Version: versionWord(version), Platform: thisPlatform, SHA256: prog.digest}
	return pin, writePin(ctx, lock, pin)
}

// parseFor reads what Check, Trust and the like are given.
func parseFor(storeURL string, o *Options) (URL, *Options, error) {
	u, err := ParseURL(storeURL)
	if err != nil {
		return URL{}, nil, err
	}
	o, err = o.withDefaults()
	return u, o, err
}

// findGuarded is find; a plugin by name must be in a directory that others
// cannot write to.
func findGuarded(u URL, o *Options) (string, error) {
	path, err := find(u, o.Dirs)
	if err == nil && u.Path == "" {
		err = guardedDir(filepath.Dir(path))
	}
	return path, err
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)

// quotePath writes a path as a shell reads it, for commands in errors.
func quotePath(path string) string {
	if plainWord.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
