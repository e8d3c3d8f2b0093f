//go:build !linux

package shared

import (
	"errors"
	"sync/atomic"
)

func createCounts(string) (string, *[numCounts]atomic.Uint64, error) {
	return "", nil, errors.ErrUnsupported
}

func readCounts(string) (counts [numCounts]uint64, err error) { return counts, errors.ErrUnsupported }
