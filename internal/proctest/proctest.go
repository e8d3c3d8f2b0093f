//go:build linux

// Package proctest lets tests see which processes run.
package proctest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Find returns the processes whose command line, with spaces between its
// words, match accepts. The dead that nobody has reaped have none.
func Find(match func(commandLine string) bool) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || len(text) == 0 {
			continue // it has ended
		}
		line := strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && match(line) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Stopped reports whether a signal has stopped the process.
func Stopped(pid int) bool {
	f := stat(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return len(f) > 0 && f[0] == "T"
}

// stat returns the fields after the name, PID (NAME) STATE PPID PGRP …; the
// name may have anything in it.
func stat(file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil // it has ended
	}
	line := string(text)
	return strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
}

// Group returns the processes of a process group that still run.
func Group(pgid int) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range files {
		f := stat(file)
		if len(f) < 3 || f[0] == "Z" || f[2] != strconv.Itoa(pgid) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
