package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/harpia-go/harpia/cache"
)

const lockName = "harpia.lock"

// lockDir makes this process the only one that uses dir, until the lock is
// closed or the process ends, however it ends.
func lockDir(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	taken, err := lockFile(f)
	if taken {
		err = fmt.Errorf("file: %s is in use by %s, the plugin of another host: end that host, or use another directory: %w", dir, holder(f), cache.ErrUnavailable)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	// Always as long, so that it needs no room on a full disk the next time.
	// The lock holds without it.
	_, _ = f.WriteAt(fmt.Appendf(nil, "%-20d\n", os.Getpid()), 0)
	return f, nil
}

func holder(f *os.File) string {
	text := make([]byte, 32)
	n, _ := f.ReadAt(text, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		return "another process"
	}
	return fmt.Sprintf("process %d", pid)
}
