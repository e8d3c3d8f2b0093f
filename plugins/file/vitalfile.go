package main

import "github.com/cockroachdb/pebble/v2/vfs"

// vitalFile is a file that pebble cannot do without: the manifest, the
// markers that name it, a directory to sync.
type vitalFile struct {
	vfs.File
	fs       *files
	num      uint64
	manifest bool
	size     int64
}

func (f *vitalFile) Write(p []byte) (int, error) {
	rest := p
	f.fs.retry("a file could not be written", func() error {
		n, err := f.File.Write(rest)
		rest = rest[n:]
		f.size += int64(n)
		return err
	})
	return len(p), nil
}

// Sync is never tried again: after a failure the kernel may have dropped what
// was to be written.
func (f *vitalFile) Sync() error {
	if f.fs.frozen.Load() {
		return nil
	}
	err := f.File.Sync()
	if err == nil && f.manifest {
		err = f.fs.mark.manifestAt(f.num, f.size)
	}
	if err != nil {
		f.fs.freeze("a file could not be synced", err)
	}
	return nil
}

func (f *vitalFile) SyncData() error { return f.Sync() }
