package main

import (
	"bytes"
	"context"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/block/blockkind"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// tableReader reads what can be read of a damaged table, a block at a time.
type tableReader struct {
	f      vfs.File
	r      *sstable.Reader
	layout *sstable.Layout
	// ends has, of each block of entries, a key that is not before the block's last
	// key and not after the next block's first.
	ends [][]byte
}

// openTable fails if what says where the table's blocks are is damaged.
func openTable(fs vfs.FS, path string) (t *tableReader, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	source, err := sstable.NewSimpleReadable(f)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	schema := colblk.DefaultKeySchema(pebble.DefaultComparer, 16)
	r, err := sstable.NewReader(context.Background(), source, sstable.ReaderOptions{
		Comparer: pebble.DefaultComparer, Merger: pebble.DefaultMerger, KeySchemas: sstable.MakeKeySchemas(&schema),
	})
	if err != nil {
		_ = source.Close()
		return nil, err
	}
	t = &tableReader{f: f, r: r}
	if err := t.index(); err != nil {
		_ = r.Close()
		return nil, err
	}
	return t, nil
}

func (t *tableReader) close() { _ = t.r.Close() }

func (t *tableReader) index() (err error) {
	if t.layout, err = t.r.Layout(); err != nil {
		return err
	}
	if t.layout.Format.BlockColumnar() {
		for _, at := range t.layout.Index {
			if err := t.indexBlock(at); err != nil {
				return err
			}
		}
	}
	if len(t.ends) != len(t.layout.Data) {
		return damaged("the index is of another kind")
	}
	return nil
}

func (t *tableReader) indexBlock(at block.Handle) error {
	h, err := t.readBlock(at, blockkind.SSTableIndex)
	if err != nil {
		return err
	}
	defer h.Release()
	var it colblk.IndexIter
	if err := it.Init(t.r.Comparer, h.BlockData(), sstable.NoTransforms); err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		t.ends = append(t.ends, bytes.Clone(it.Separator()))
	}
	return nil
}

// readBlock reads a block and checks it.
func (t *tableReader) readBlock(at block.Handle, kind block.Kind) (block.BufferHandle, error) {
	return t.r.BlockReader().Read(context.Background(), block.NoReadEnv, nil, at, kind,
		func(*block.Metadata, []byte) error { return nil })
}

// ranges calls each with the deletions of ranges in the table.
func (t *tableReader) ranges(each func(deleted)) error {
	it, err := t.r.NewRawRangeDelIter(context.Background(), sstable.NoFragmentTransforms, sstable.NoReadEnv)
	if err != nil || it == nil {
		return err
	}
	defer it.Close()
	span, err := it.First()
	for ; span != nil && err == nil; span, err = it.Next() {
		for _, key := range span.Keys {
			each(deleted{from: bytes.Clone(span.Start), to: bytes.Clone(span.End), seq: uint64(key.SeqNum())})
		}
	}
	return err
}

// entries calls each with the table's records, and lost with the blocks that cannot be
// read: which bytes they are, and between which keys.
func (t *tableReader) entries(each func(write) error, lost func(from, to int64, after, upTo []byte, cause error)) error {
	blocks := t.layout.Data
	errs := make([]error, len(blocks)+1)
	for i, at := range blocks {
		var h block.BufferHandle
		if h, errs[i] = t.readBlock(at.Handle, blockkind.SSTableData); errs[i] == nil {
			h.Release()
		}
	}
	var after []byte
	for i, at := range blocks {
		if errs[i] == nil {
			var failure error
			if failure, errs[i] = t.blockEntries(i, errs[i+1] != nil, each); failure != nil {
				return failure
			}
		}
		if errs[i] != nil {
			lost(int64(at.Offset), int64(at.Offset+at.Length+block.TrailerLen), after, t.ends[i], errs[i])
		}
		after = t.ends[i]
	}
	return nil
}

// blockEntries reads a block whose checksum is right. It returns apart what each
// returned and what is wrong with the block.
func (t *tableReader) blockEntries(i int, nextIsBad bool, each func(write) error) (failure, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damaged("%v", p)
		}
	}()
	it, err := t.r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	from := []byte{}
	if i > 0 {
		from = append(bytes.Clone(t.ends[i-1]), 0)
	}
	kv := it.SeekGE(from, 0)
	for ; kv != nil && bytes.Compare(kv.K.UserKey, t.ends[i]) <= 0; kv = it.Next() {
		w, ok := writeOf(kv.Kind(), kv.K.UserKey, uint64(kv.SeqNum()))
		if !ok {
			continue
		}
		if w.value, _, err = kv.Value(nil); err != nil {
			return nil, err
		}
		if failure := each(w); failure != nil {
			return failure, nil
		}
	}
	if err := it.Error(); err != nil && !nextIsBad {
		return nil, err
	}
	return nil, nil
}
