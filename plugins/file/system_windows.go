package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/harpia-go/harpia/cache"
)

// supported refuses before anything is touched: the store relies on syncing
// directories and on modes that keep other users out, which Windows has not.
// What follows is never called.
func supported() error {
	return fmt.Errorf("file: this store does not run on Windows; use the store memory: %w", cache.ErrUnavailable)
}

func lockFile(*os.File) (taken bool, err error) { return false, errors.ErrUnsupported }

func allocate(uintptr, int64) error { return errors.ErrUnsupported }

func chmod(uintptr, os.FileMode) error { return errors.ErrUnsupported }

func mapFile(uintptr, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapFile([]byte) error { return errors.ErrUnsupported }

func bootID() (id [36]byte) { return id }

func ownedByAnother(os.FileInfo) (owner int, other bool) { return 0, false }
