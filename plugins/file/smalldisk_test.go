package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// smallDisk is a file system in memory on a disk that can be full, because of
// the store or of somebody else, and that can fail.
type smallDisk struct {
	vfs.FS
	dir      string
	capacity int64

	mu      sync.Mutex
	foreign int64
	greedy  bool // whatever is released, somebody else takes it

	// fails, if set, may fail an operation on the file of this name.
	fails atomic.Pointer[func(op, name string) error]
}

func newSmallDisk(dir string, capacity int64) *smallDisk {
	return &smallDisk{FS: vfs.NewCrashableMem(), dir: dir, capacity: capacity}
}

// clone returns the disk as it is.
func (d *smallDisk) clone() *smallDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &smallDisk{FS: d.without(100), dir: d.dir, capacity: d.capacity, foreign: d.foreign, greedy: d.greedy}
}

// without returns what is there but for what was not synced, of which so many
// percent are there.
func (d *smallDisk) without(percent int) *vfs.MemFS {
	return d.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(0, 0))})
}

// crash returns a disk with what it leaves of this one, in another directory.
func (d *smallDisk) crash(t *testing.T, percent int, dir string) *smallDisk {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	left := d.without(percent)
	if ok, err := vfs.Clone(left, left, d.dir, dir); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return &smallDisk{FS: left, dir: dir, capacity: d.capacity}
}

// freeLocked is what is free. It counts all there is: the files are few.
func (d *smallDisk) freeLocked() int64 {
	free := d.capacity - d.foreign
	names, _ := d.FS.List(d.dir)
	for _, name := range names {
		if info, err := d.FS.Stat(d.FS.PathJoin(d.dir, name)); err == nil {
			free -= info.Size()
		}
	}
	if d.greedy && free > 0 {
		d.foreign += free
		return 0
	}
	return max(free, 0)
}

// fill makes somebody else take all but left bytes, and go on doing so if
// greedy.
func (d *smallDisk) fill(left int64, greedy bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.foreign += d.freeLocked() - left
	d.greedy = greedy
}

func (d *smallDisk) makeRoom() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.foreign, d.greedy = 0, false
}

func (d *smallDisk) fail(op, name string) error {
	if f := d.fails.Load(); f != nil {
		return (*f)(op, d.PathBase(name))
	}
	return nil
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	free := uint64(d.freeLocked())
	return vfs.DiskUsage{AvailBytes: free, TotalBytes: uint64(d.capacity), UsedBytes: uint64(d.capacity) - free}, nil
}

func (d *smallDisk) wrap(name string, size int64, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &smallDiskFile{File: f, d: d, name: name, size: size}, nil
}

func (d *smallDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.fail("create", name); err != nil {
		return nil, err
	}
	f, err := d.FS.Create(name, c)
	return d.wrap(name, 0, f, err)
}

func (d *smallDisk) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.fail("create", newname); err != nil {
		return nil, err
	}
	info, err := d.FS.Stat(oldname)
	if err != nil {
		return nil, err
	}
	f, err := d.FS.ReuseForWrite(oldname, newname, c)
	return d.wrap(newname, info.Size(), f, err)
}

func (d *smallDisk) Rename(oldname, newname string) error {
	if err := d.fail("rename", newname); err != nil {
		return err
	}
	return d.FS.Rename(oldname, newname)
}

func (d *smallDisk) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.FS.OpenReadWrite(name, c, opts...)
	return d.wrap(name, 0, f, err)
}

type smallDiskFile struct {
	vfs.File
	d         *smallDisk
	name      string
	pos, size int64
}

func (f *smallDiskFile) Write(p []byte) (int, error) {
	if err := f.d.fail("write", f.name); err != nil {
		return 0, err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	end := f.pos + int64(len(p))
	var full error
	if grow := end - f.size; grow > 0 {
		if free := f.d.freeLocked(); grow > free {
			full = &os.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
			p = p[:int64(len(p))-(grow-free)]
		}
	}
	n, err := f.File.Write(p)
	f.pos += int64(n)
	f.size = max(f.size, f.pos)
	if err == nil {
		err = full
	}
	return n, err
}

func (f *smallDiskFile) Sync() error {
	if err := f.d.fail("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *smallDiskFile) SyncData() error {
	if err := f.d.fail("sync", f.name); err != nil {
		return err
	}
	return f.File.SyncData()
}

// Truncate puts another file in the place of this one.
func (f *smallDiskFile) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	b := make([]byte, size)
	if _, err := f.File.ReadAt(b, 0); err != nil && size > 0 {
		return err
	}
	g, err := f.d.FS.Create(f.name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = g.Write(b)
	return errors.Join(err, g.Sync(), g.Close())
}
