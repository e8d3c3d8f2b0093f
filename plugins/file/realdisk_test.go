//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// requireAll makes a test that cannot run here fail instead of skip.
const requireAll = "HARPIA_REQUIRE_ALL"

// childMount is where the child of TestRealFullDisk mounts its disk.
const childMount = "HARPIA_FILE_TEST_MOUNT"

const cannotMount = "no file system can be mounted here"

// On a real file system of 64 MiB: the disk is filled by the store itself and
// by somebody else, to the last byte, under load.
func TestRealFullDisk(t *testing.T) {
	dir := ownMounts(t)
	if dir == "" {
		return
	}
	mountTmpfs(t, dir, 64)
	for _, mode := range []syncMode{syncAlways, syncInterval, syncNever} {
		t.Run(string(mode), func(t *testing.T) {
			fillRealDisk(t, dir, mode)
		})
	}
}

// ownMounts runs the test again, in a process with mounts of its own, so that
// nothing is left behind. There it returns a directory to mount a disk at, and
// here, at the end, none.
func ownMounts(t *testing.T) string {
	if dir := os.Getenv(childMount); dir != "" {
		if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
			t.Fatalf("%s: %v", cannotMount, err)
		}
		return dir
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childMount+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case cmd.Process == nil, strings.Contains(string(out), cannotMount):
		if os.Getenv(requireAll) == "1" {
			t.Fatalf("%s: %v\n%s", cannotMount, err, out)
		}
		t.Skipf("%s: %v\n%s", cannotMount, err, out)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case testing.Verbose():
		t.Logf("%s", out)
	}
	return ""
}

// foreignFile takes all room there is, and goes on, until it is removed.
type foreignFile struct {
	path string
	stop chan struct{}
	done sync.WaitGroup
	full chan struct{} // closed when the disk was full
}

func newForeignFile(t *testing.T, path string) *foreignFile {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	ff := &foreignFile{path: path, stop: make(chan struct{}), full: make(chan struct{})}
	ff.done.Go(func() {
		defer f.Close()
		page, wasFull := make([]byte, 4<<10), false
		for {
			select {
			case <-ff.stop:
				return
			default:
			}
			if _, err := f.Write(page); err == nil {
				continue
			} else if !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
				return
			}
			if !wasFull {
				wasFull = true
				close(ff.full)
			}
			time.Sleep(time.Millisecond)
		}
	})
	return ff
}

func (ff *foreignFile) remove(t *testing.T) {
	t.Helper()
	close(ff.stop)
	ff.done.Wait()
	if err := os.Remove(ff.path); err != nil {
		t.Error(err)
	}
}

func bytesFree(t *testing.T, dir string) int64 {
	t.Helper()
	var stat syscall.Statfs_t
	noError(t, syscall.Statfs(dir, &stat))
	return int64(stat.Bavail) * stat.Bsize
}

func fillRealDisk(t *testing.T, disk string, mode syncMode) {
	dir := filepath.Join(disk, string(mode))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	settings := []string{"reserve", "8MiB", "sync", string(mode)}
	s := open(t, dir, settings...)
	s.room.ballast.make()
	l := newLoad(t, s, 20_000)

	// The store fills it.
	l.run(always)
	l.wantErrors("of 64.0 MiB are free", "8.0 MiB are reserved")
	l.check(s)
	for key := range l.acked {
		if err := s.Delete(t.Context(), key); err != nil {
			t.Fatalf("Delete on a full disk: %v", err)
		}
	}
	for key := range l.acked {
		wantMiss(t, s, key)
	}
	clear(l.acked)
	eventually(t, "what was deleted is given back", func() bool { return l.some(100) })
	l.check(s)

	// Somebody else fills it, long before the store could.
	for round := range 2 {
		l.prefix = fmt.Sprint("round ", round)
		noError(t, s.Clear(t.Context(), ""))
		clear(l.acked)
		eventually(t, "what was cleared is given back", func() bool { return bytesFree(t, disk) > 32<<20 })
		var ff *foreignFile
		started := make(chan struct{})
		go func() {
			defer close(started)
			time.Sleep(5 * time.Millisecond)
			ff = newForeignFile(t, filepath.Join(disk, "foreign"))
		}()
		l.run(always)
		<-started
		<-ff.full
		l.wantErrors("room")
		l.check(s)
		eventually(t, "nothing is free", func() bool { return bytesFree(t, disk) == 0 })
		l.check(s)
		wantMiss(t, s, "nope")
		ff.remove(t)
		eventually(t, "writes are accepted", func() bool { return l.some(100) })
		l.check(s)
		eventually(t, "the ballast is there again", s.room.ballast.held)
	}

	mustClose(t, s)
	l.check(open(t, dir, settings...))
}
