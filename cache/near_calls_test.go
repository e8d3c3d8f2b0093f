package cache

import (
	"context"
	"testing"
)

// What was copied between a caller's look at the copies and its call to the
// store, which nobody outside can bring about.
func TestNearCallThatFindsACopyAtItsEnd(t *testing.T) {
	tests := []struct {
		name   string
		during func(n *Near) // while the store is asked
		answer Lookup
		want   string
	}{
		{"a newer entry", func(*Near) {}, Lookup{Entry{Value: []byte("newer")}, true}, "newer"},
		{"nothing", func(*Near) {}, Lookup{}, ""},
		{"one that no copy has room for", func(*Near) {}, Lookup{Entry{Value: make([]byte, 2000)}, true}, ""},
		{"one that may not be copied", func(n *Near) { n.calls.hold() }, Lookup{Entry{Value: []byte("newer")}, true}, ""},
	}
	for _, test := range tests {
		m, err := NewMemory(MemoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n, err := NewNear(m, NearOptions{MaxBytes: 1000})
		if err != nil {
			t.Fatal(err)
		}
		first := n.calls.read("k")
		first.is(Entry{Value: []byte("older")}, true)
		first.end()
		if e, _, _ := n.copies.Get(context.Background(), "k"); string(e.Value) != "older" {
			t.Fatalf("the copy is %q", e.Value)
		}
		call := n.calls.read("k")
		test.during(n)
		call.is(test.answer.Entry, test.answer.Found)
		call.end()
		if e, ok, _ := n.copies.Get(context.Background(), "k"); ok != (test.want != "") || string(e.Value) != test.want {
			t.Errorf("after the store has answered with %s, the copy is %q, %v; want %q", test.name, e.Value, ok, test.want)
		}
		n.Close()
		m.Close()
	}
}
