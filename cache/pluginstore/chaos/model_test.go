//go:build linux

package main

import (
	"testing"
	"time"
)

// The model takes histories that a good cache can have, and no others.
func TestModel(t *testing.T) {
	wrote := func(value string, call, ret int64) record {
		return record{in: input{kind: set, value: value}, call: call, ret: ret}
	}
	saw := func(value string, call, ret int64) record {
		return record{in: input{kind: get, at: 1000}, out: output{ok: value != "", value: value}, call: call, ret: ret}
	}
	sawUntil := func(value string, expires, call, ret int64) record {
		r := saw(value, call, ret)
		r.out.expires = expires
		return r
	}
	deleted := func(call, ret int64) record {
		return record{in: input{kind: remove}, call: call, ret: ret}
	}
	unknown := func(r record) record {
		r.out, r.ret = output{unknown: true}, noReturn
		return r
	}
	expiring := func(value string, expires, call, ret int64) record {
		return record{in: input{kind: set, value: value, expires: expires}, call: call, ret: ret}
	}
	added := func(value string, ok bool, call, ret int64) record {
		return record{in: input{kind: setIfAbsent, value: value}, out: output{ok: ok}, call: call, ret: ret}
	}
	swapped := func(old, value string, call, ret int64) record {
		return record{in: input{kind: swap, old: old, value: value}, out: output{ok: true}, call: call, ret: ret}
	}
	counted := func(delta, sum, call, ret int64) record {
		return record{in: input{kind: increment, delta: delta}, out: output{sum: sum}, call: call, ret: ret}
	}
	for name, c := range map[string]struct {
		history []record
		good    bool
	}{
		"the last write":                     {[]record{wrote("a", 1, 2), wrote("b", 3, 4), saw("b", 5, 6)}, true},
		"an older value":                     {[]record{wrote("a", 1, 2), wrote("b", 3, 4), saw("a", 5, 6)}, false},
		"a miss":                             {[]record{wrote("a", 1, 2), saw("", 3, 4), saw("a", 5, 6)}, true},
		"a deleted value":                    {[]record{wrote("a", 1, 2), deleted(3, 4), saw("a", 5, 6)}, false},
		"a value that nobody wrote":          {[]record{wrote("a", 1, 2), saw("b", 3, 4)}, false},
		"writes at once, one order":          {[]record{wrote("a", 1, 9), wrote("b", 2, 8), saw("a", 10, 11)}, true},
		"writes at once, the other":          {[]record{wrote("a", 1, 9), wrote("b", 2, 8), saw("b", 10, 11)}, true},
		"writes at once, both orders":        {[]record{wrote("a", 1, 9), wrote("b", 2, 8), saw("a", 10, 11), saw("b", 12, 13)}, false},
		"a read during a write, old":         {[]record{wrote("a", 1, 2), wrote("b", 3, 9), saw("a", 4, 5)}, true},
		"a read during a write, new and old": {[]record{wrote("a", 1, 2), wrote("b", 3, 9), saw("b", 4, 5), saw("a", 6, 7)}, false},
		"unknown, done":                      {[]record{wrote("a", 1, 2), unknown(wrote("b", 3, 0)), saw("b", 5, 6)}, true},
		"unknown, not done":                  {[]record{wrote("a", 1, 2), unknown(wrote("b", 3, 0)), saw("a", 5, 6)}, true},
		"unknown, done late":                 {[]record{unknown(wrote("b", 1, 0)), wrote("a", 3, 4), saw("a", 5, 6), saw("b", 7, 8)}, true},
		"unknown, done and undone":           {[]record{wrote("a", 1, 2), unknown(wrote("b", 3, 0)), saw("b", 5, 6), saw("a", 7, 8)}, false},
		"unknown, seen before it was called": {[]record{saw("b", 1, 2), unknown(wrote("b", 3, 0))}, false},
		"unknown, added after one not seen":  {[]record{unknown(wrote("a", 1, 0)), unknown(added("b", false, 2, 0)), saw("b", 3, 4)}, true},
		"unknown, added":                     {[]record{unknown(added("a", false, 1, 0)), saw("a", 3, 4)}, true},
		"expired":                            {[]record{expiring("a", 500, 1, 2), sawUntil("a", 500, 3, 4)}, false},
		"not expired yet":                    {[]record{expiring("a", 5000, 1, 2), sawUntil("a", 5000, 3, 4)}, true},
		"an expiry that nobody set":          {[]record{expiring("a", 5000, 1, 2), sawUntil("a", 6000, 3, 4)}, false},
		"expired, and an older value":        {[]record{wrote("a", 1, 2), expiring("b", 500, 3, 4), saw("a", 5, 6)}, false},
		"added to nothing":                   {[]record{deleted(1, 2), added("a", true, 3, 4), saw("a", 5, 6)}, true},
		"refused where nothing is":           {[]record{deleted(1, 2), added("a", false, 3, 4)}, false},
		"added after a loss, which is final": {[]record{wrote("a", 1, 2), added("b", true, 3, 4), saw("a", 5, 6)}, false},
		"swapped":                            {[]record{wrote("a", 1, 2), swapped("a", "b", 3, 4), saw("b", 5, 6)}, true},
		"swapped for an older value":         {[]record{wrote("a", 1, 2), wrote("b", 3, 4), swapped("a", "c", 5, 6)}, false},
		"counted":                            {[]record{counted(2, 2, 1, 2), counted(3, 5, 3, 4)}, true},
		"counted anew after a loss":          {[]record{counted(2, 2, 1, 2), counted(3, 3, 3, 4)}, true},
		"a count lost and found":             {[]record{counted(2, 2, 1, 2), counted(3, 3, 3, 4), counted(1, 6, 5, 6)}, false},
	} {
		for i := range c.history {
			c.history[i].key, c.history[i].client = "k", i
		}
		s := segment{records: c.history}
		if wrong := s.check(time.Minute); (len(wrong) == 0) != c.good {
			t.Errorf("%s: %v", name, wrong)
		}
	}
}

// What a key held before is part of its history, and so is what an unknown
// operation of before may still do to it.
func TestSegmentsJoin(t *testing.T) {
	head := record{key: "k", in: input{kind: set, value: "a"}, call: 1, ret: 1}
	late := record{key: "k", in: input{kind: set, value: "b"}, out: output{unknown: true}, call: 0, ret: noReturn, generation: 2}
	saw := func(value string) []record {
		return []record{{key: "k", in: input{kind: get}, out: output{ok: true, value: value}, call: 5, ret: 6}}
	}
	s := segment{heads: map[string]record{"k": head}, records: []record{late}}
	for generation, want := range map[uint64]int{2: 1, 3: 0} {
		if got := s.carried(generation); len(got["k"]) != want {
			t.Errorf("while process %d serves %d operations are carried over, want %d", generation, len(got["k"]), want)
		}
	}
	for value, good := range map[string]bool{"a": true, "b": true, "c": false} {
		next := segment{heads: s.heads, pending: s.carried(2), records: saw(value)}
		if wrong := next.check(time.Minute); (len(wrong) == 0) != good {
			t.Errorf("after %q: %v", value, wrong)
		}
	}
}

// A value that was cut, mixed or made up names no write.
func TestValueNames(t *testing.T) {
	for _, size := range []int{0, 10, 200, 64 << 10} {
		v := makeValue("3-17", size)
		if got := nameOf(v); got != "3-17" {
			t.Errorf("of %d bytes: %s", size, got)
		}
		if len(v) > 12 {
			if got := nameOf(v[:len(v)-1]); got == "3-17" {
				t.Errorf("of %d bytes, one cut off: %s", size, got)
			}
			v[len(v)-1] ^= 1
			if got := nameOf(v); got == "3-17" {
				t.Errorf("of %d bytes, one changed: %s", size, got)
			}
		}
	}
}
