//go:build !linux

package shared

import (
	"errors"
	"sync/atomic"
)

func createCounts(string) (string, *[sentCounts]atomic.Uint64, error) {
	return "", nil, errors.ErrUnsupported
}

func readCounts(string) (counts [sentCounts]uint64, err error) { return counts, errors.ErrUnsupported }
