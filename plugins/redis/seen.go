package main

import "hash/maphash"

// seen remembers keys by 128 bits of a hash, which is less than most keys are
// long. That two keys have the same is less likely than a broken memory.
type seen struct {
	seeds  [2]maphash.Seed
	hashes map[[2]uint64]struct{}
}

func newSeen() *seen {
	return &seen{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, hashes: make(map[[2]uint64]struct{})}
}

// first reports whether key was not asked for before.
func (s *seen) first(key string) bool {
	h := [2]uint64{maphash.String(s.seeds[0], key), maphash.String(s.seeds[1], key)}
	if _, ok := s.hashes[h]; ok {
		return false
	}
	s.hashes[h] = struct{}{}
	return true
}
