package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// startGroups compare cold starts: from the start of a host's process to what
// it prints about its first Get, its plugin's start included. "bare" is the
// key-value example that comes with go-plugin, host and plugin, which neither
// verifies the plugin's bytes nor encrypts.
func startGroups() []group {
	return []group{{name: "start", callers: []int{1}, unit: "ms", open: openStarts}}
}

func openStarts(s *site) ([]subject, error) {
	var path [5]string
	for i, pkg := range []string{coldHost, memoryPlugin, filePlugin, bareHost, barePlugin} {
		var err error
		if path[i], err = s.program(pkg); err != nil {
			return nil, err
		}
	}
	host, memory, file, bare, plugin := path[0], path[1], path[2], path[3], path[4]
	data, err := s.newDir("file")
	if err != nil {
		return nil, err
	}
	work, err := s.newDir("bare")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(work, "kv_k"), []byte("value\n"), 0o600); err != nil {
		return nil, err
	}
	return []subject{
		{"harpia memory", starting(work, nil, host, s.lock(), memory)},
		{"harpia file", starting(work, nil, host, s.lock(), file+"?dir="+data)},
		{"bare", starting(work, []string{"KV_PLUGIN=" + plugin, "KV_PROTO=grpc"}, bare, "get", "k")},
	}, nil
}

func starting(dir string, env []string, program string, args ...string) func(context.Context, int, time.Duration) (sample, error) {
	return func(ctx context.Context, _ int, _ time.Duration) (sample, error) {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), env...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return sample{}, err
		}
		start := time.Now()
		if err := cmd.Start(); err != nil {
			return sample{}, err
		}
		first := make([]byte, 64)
		n, readErr := stdout.Read(first)
		took := time.Since(start)
		if err := cmd.Wait(); err != nil || readErr != nil {
			return sample{}, fmt.Errorf("%s: %w, %w\n%s%s", program, err, readErr, first[:n], &stderr)
		}
		return sample{opsPerS: 1 / took.Seconds(), p50: took, p99: took, value: float64(took) / 1e6}, nil
	}
}
