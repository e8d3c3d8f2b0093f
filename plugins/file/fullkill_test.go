//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A store that is killed on a disk that it and another file have filled opens with
// everything that was acknowledged, whatever its reserve and the file system.
func TestKilledOnARealFullDisk(t *testing.T) {
	disk := ownMounts(t)
	if disk == "" {
		return
	}
	const rounds = 5
	for name, mount := range map[string]func(t *testing.T, dir string, mib int64){"tmpfs": mountTmpfs, "ext4": mountExt4} {
		for reserve, mib := range map[string]int64{"0": 64, "1MiB": 64, "": 256} {
			t.Run(name+" reserve="+reserve, func(t *testing.T) {
				mount(t, disk, mib)
				settings := []string{"sync", "never"}
				if reserve != "" {
					settings = append(settings, "reserve", reserve)
				}
				for round := range rounds {
					killOnFullDisk(t, disk, mib<<20/2, (round+1)*1_000_000, settings)
				}
			})
		}
	}
}

// killOnFullDisk kills a store on a full disk, of which half is another file's. That
// is removed before the store is opened again: to write its log out as tables the
// store may need as much room as its data takes.
func killOnFullDisk(t *testing.T, disk string, half int64, first int, settings []string) {
	t.Helper()
	taken := filepath.Join(disk, "half")
	noError(t, os.WriteFile(taken, make([]byte, half), 0o600))
	dir := filepath.Join(disk, fmt.Sprint("store ", first))
	defer os.RemoveAll(dir)
	child := startChild(t, "fill", dir, settings, fmt.Sprintf("%s=%d", childFirst, first))
	acked := map[string]int{}
	take := func(line string) {
		var key string
		var size int
		if _, err := fmt.Sscan(line, &key, &size); err == nil {
			acked[key] = size
		}
	}
	var other *foreignFile
	for refused, most := 0, 1+rand.IntN(4*fillers); refused < most; {
		if !child.lines.Scan() {
			t.Fatal("the child ended by itself")
		}
		line := child.lines.Text()
		if other == nil && rand.IntN(8) == 0 {
			other = newForeignFile(t, filepath.Join(disk, "foreign"))
		}
		if line == "refused" {
			refused++
		} else {
			take(line)
		}
	}
	for _, line := range child.kill() {
		take(line)
	}
	noError(t, os.Remove(taken))
	if other != nil {
		other.remove(t)
	}
	s := &Store{}
	if err := configure(s, dir, settings...); err != nil {
		t.Fatalf("it does not open, and %d entries were acknowledged: %v", len(acked), err)
	}
	defer mustClose(t, s)
	for key, size := range acked {
		wantValue(t, s, key, key+noise(size))
	}
}

func mountTmpfs(t *testing.T, dir string, mib int64) {
	if err := syscall.Mount("harpia", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Fatalf("%s: %v", cannotMount, err)
	}
	t.Cleanup(func() { noError(t, syscall.Unmount(dir, 0)) })
}

// mountExt4 mounts a new file system of a file, which only root can.
func mountExt4(t *testing.T, dir string, mib int64) {
	image := filepath.Join(t.TempDir(), "image")
	noError(t, os.WriteFile(image, nil, 0o600))
	noError(t, os.Truncate(image, mib<<20))
	for _, command := range [][]string{{"mkfs.ext4", "-q", "-F", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	t.Cleanup(func() { noError(t, syscall.Unmount(dir, 0)) })
}
