//go:build !unix

package spool

import (
	"errors"
	"fmt"
	"os"
)

const noFollow = 0

func lock(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func privateDir(string) error {
	return fmt.Errorf("spool: on this system: %w", errors.ErrUnsupported)
}
