package cache

import (
	"bytes"
	"context"
	"time"
)

// SetIfAbsent stores e if key holds nothing, and reports whether it did. An e
// that has already expired counts as stored, and gone.
func (m *Memory) SetIfAbsent(ctx context.Context, key string, e Entry) (bool, error) {
	return m.update(ctx, key, e, func(old *memoryEntry) bool { return old == nil })
}

// CompareAndSwap stores e if key holds exactly the bytes old, and reports
// whether it did. An e that has already expired removes the key.
func (m *Memory) CompareAndSwap(ctx context.Context, key string, old []byte, e Entry) (bool, error) {
	return m.update(ctx, key, e, func(now *memoryEntry) bool { return now != nil && bytes.Equal(now.value, old) })
}

// update stores e if the entry under key, or nil, is one that it wants.
func (m *Memory) update(ctx context.Context, key string, e Entry, wants func(*memoryEntry) bool) (bool, error) {
	if err := m.check(ctx); err != nil {
		return false, err
	}
	if err := CheckEntry(key, e, m.maxValue); err != nil {
		return false, err
	}
	s, hash, err := m.lock(key)
	if err != nil {
		return false, err
	}
	old := s.live(hash, key)
	if !wants(old) {
		s.mu.Unlock()
		return false, nil
	}
	m.commit(s, old, newMemoryEntry(key, e), hash)
	return true, nil
}

// CompareAndDelete removes key if it holds exactly the bytes old, and reports
// whether it did.
func (m *Memory) CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error) {
	if err := m.check(ctx); err != nil {
		return false, err
	}
	if err := CheckKey(key); err != nil {
		return false, err
	}
	s, hash, err := m.lock(key)
	if err != nil {
		return false, err
	}
	e := s.live(hash, key)
	if e == nil || !bytes.Equal(e.value, old) {
		s.mu.Unlock()
		return false, nil
	}
	m.commit(s, e, nil, hash)
	return true, nil
}

// Increment adds delta to the counter under key; see Counter. It returns
// ErrNotCounter if key holds another value or the sum does not fit.
func (m *Memory) Increment(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
	if err := m.check(ctx); err != nil {
		return 0, time.Time{}, err
	}
	if err := CheckKey(key); err != nil {
		return 0, time.Time{}, err
	}
	s, hash, err := m.lock(key)
	if err != nil {
		return 0, time.Time{}, err
	}
	e := Entry{Value: []byte("0"), Expires: expiresIfNew}
	old := s.live(hash, key)
	if old != nil {
		e = old.entry()
	}
	value, n, err := Add(e.Value, delta)
	if err == nil {
		e.Value = value
		err = CheckEntry(key, e, m.maxValue)
	}
	if err != nil {
		s.mu.Unlock()
		return 0, time.Time{}, err
	}
	m.commit(s, old, newMemoryEntry(key, e), hash)
	return n, e.Expires.Truncate(time.Millisecond), nil
}

// Touch gives the entry under key another expiry, and reports whether there
// was one. An expires in the past removes it.
func (m *Memory) Touch(ctx context.Context, key string, expires time.Time) (bool, error) {
	if err := m.check(ctx); err != nil {
		return false, err
	}
	if err := CheckKey(key); err != nil {
		return false, err
	}
	s, hash, err := m.lock(key)
	if err != nil {
		return false, err
	}
	e := s.live(hash, key)
	if e == nil {
		s.mu.Unlock()
		return false, nil
	}
	m.commit(s, e, newMemoryEntry(key, Entry{Value: e.value, Expires: expires}), hash)
	return true, nil
}
