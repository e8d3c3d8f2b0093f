package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// A store of many tables and levels, with values that were replaced, deleted and
// cleared, is copied as it is. A damaged block costs the entries in it.
func TestSalvageOfManyTables(t *testing.T) {
	const keys = 4000
	dir := t.TempDir()
	s := open(t, dir, "reserve", "0", "sync", "never")
	want, written := map[string]string{}, map[string]map[string]bool{}
	for n := range 40_000 {
		key := fmt.Sprintf("%d %d", n%7, rand.IntN(keys))
		switch {
		case n%10_001 == 10_000:
			prefix := fmt.Sprint(n%7, " 1")
			noError(t, s.Clear(t.Context(), prefix))
			for k := range want {
				if len(k) >= len(prefix) && k[:len(prefix)] == prefix {
					delete(want, k)
				}
			}
		case n%5 == 4:
			noError(t, s.Delete(t.Context(), key))
			delete(want, key)
		default:
			value := fmt.Sprint(n, noise(rand.IntN(1500)))
			mustSet(t, s, key, value)
			want[key] = value
			if written[key] == nil {
				written[key] = map[string]bool{}
			}
			written[key][value] = true
		}
		if n == 20_000 {
			noError(t, s.db.Compact(t.Context(), []byte{0}, []byte{255}, true))
		}
	}
	mustClose(t, s)
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) < 4 {
		t.Fatalf("there are %d tables: %v", len(tables), err)
	}
	compare := func(s *Store) (wrong int) {
		found := map[string]bool{}
		for key, err := range s.Scan(t.Context(), "") {
			noError(t, err)
			found[key] = true
			e, ok, err := s.Get(t.Context(), key)
			if err != nil || !ok || !written[key][string(e.Value)] {
				t.Fatalf("Get(%q) = %.20q, %v, %v, which was never written", key, e.Value, ok, err)
			}
			if want[key] != string(e.Value) {
				wrong++
			}
		}
		for key := range want {
			if !found[key] {
				wrong++
			}
		}
		return wrong
	}
	r, copied := salvaged(t, dir)
	if wrong := compare(copied); wrong > 0 || len(r.Lost) > 0 {
		t.Errorf("%d entries of the copy are wrong: %+v", wrong, r)
	}
	damagedTables := 0
	for _, table := range tables {
		b, err := os.ReadFile(table)
		noError(t, err)
		b[len(b)/3] ^= 1
		b[len(b)/2] ^= 1
		noError(t, os.WriteFile(table, b, 0o600))
		damagedTables++
	}
	r, copied = salvaged(t, dir)
	if wrong := compare(copied); len(r.Lost) == 0 || wrong > 300*damagedTables || wrong > len(want)/4 {
		t.Errorf("two damaged blocks in each of %d tables cost %d of %d entries: %+v", damagedTables, wrong, len(want), r.Lost)
	} else {
		t.Logf("two damaged blocks in each of %d tables cost %d of %d entries, in %d parts", damagedTables, wrong, len(want), len(r.Lost))
	}
	for _, l := range r.Lost {
		if info, err := os.Stat(filepath.Join(dir, l.File)); err != nil || l.To <= l.From || l.To > info.Size() {
			t.Errorf("the part %+v is not one of the file: %v", l, errors.Join(err))
		}
	}
}
