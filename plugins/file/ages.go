package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// noteAges is the key that is there while the index of ages is kept.
func noteAges() []byte { return append([]byte{spaceNote}, "ages"...) }

// dropAges removes the index, since without a bound nobody keeps it.
func (s *Store) dropAges() error {
	batch := s.db.NewBatch()
	err := errors.Join(
		batch.DeleteRange([]byte{spaceAge}, []byte{spaceAge + 1}, nil),
		batch.Delete(noteAges(), nil),
		batch.Commit(pebble.Sync),
	)
	return errors.Join(err, batch.Close())
}

// count adds up an index that was kept.
func (b *bound) count() error {
	return b.s.each([]byte{spaceAge}, []byte{spaceAge + 1}, func(k, v []byte) (bool, error) {
		age, size, _, err := parseAge(k, v)
		b.live += size
		b.age = age
		return true, err
	})
}

// index makes the index for entries that were written without one.
func (b *bound) index() error {
	batch := b.s.db.NewBatch()
	err := b.s.each([]byte{spaceEntry}, []byte{spaceEntry + 1}, func(k, v []byte) (bool, error) {
		r, err := parseRecord(v)
		if err != nil {
			return false, err
		}
		key := string(k[1:])
		b.live += r.size(key)
		b.age = max(b.age, r.age)
		if err := setAge(batch, r.age, key, r.size(key)); err != nil {
			return false, err
		}
		if batch.Count() >= evictPage {
			err = errors.Join(batch.Commit(pebble.NoSync), batch.Close())
			batch = b.s.db.NewBatch()
		}
		return true, err
	})
	if err == nil {
		err = errors.Join(batch.Set(noteAges(), nil, nil), batch.Commit(pebble.Sync))
	}
	return errors.Join(err, batch.Close())
}

func setAge(batch *pebble.Batch, age int64, key string, size int64) error {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(size))
	return batch.Set(indexKey(spaceAge, age, key), b[:], nil)
}

func parseAge(k, v []byte) (age, size int64, key string, err error) {
	age, key, err = parseIndexKey(k)
	if err == nil && len(v) != 8 {
		err = fmt.Errorf("%w: a stored age has %d bytes", pebble.ErrCorruption, len(v))
	}
	if err != nil {
		return 0, 0, "", err
	}
	return age, int64(binary.BigEndian.Uint64(v)), key, nil
}
