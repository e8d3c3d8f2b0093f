//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/internal/redistest"
)

// logged are options for a server that logs each change, in their order.
var logged = redistest.Options{Config: []string{"appendonly yes", "appendfsync no"}}

// order tells of operations which changes of the key they were or read, as the
// server's log has it.
func (h *history) order(t *testing.T, s *redistest.Server) {
	t.Helper()
	written, removed := changes(t, s)
	for _, op := range h.ops {
		of := func(value int64) string { return fmt.Sprint(op.key, "=", value) }
		switch {
		case op.unknown:
			continue
		case op.kind == "get" || op.kind == "increment":
			if op.value == 0 {
				continue
			}
			op.changes = written[of(op.value)]
		case op.kind == "set":
			op.changes = written[of(op.arg)]
		case op.ok && (op.kind == "add" || op.kind == "swap" && op.arg != 0):
			op.changes = written[of(op.arg)]
		case op.ok && op.kind == "swap":
			op.changes = removed[of(op.old)]
		default:
			continue
		}
		if len(op.changes) == 0 {
			t.Errorf("the server knows nothing of %+v", *op)
		}
	}
	for what, changes := range written {
		if len(changes) > 1 {
			t.Errorf("%s was written by the changes %d", what, changes)
		}
	}
}

// changes reads the server's log: which changes wrote a value, and which
// removed it, by key and value.
func changes(t *testing.T, s *redistest.Server) (written, removed map[string][]int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.Dir(), "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the server's log is in %q, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	written, removed = map[string][]int64{}, map[string][]int64{}
	now := map[string]string{}
	var n int64
	note := func(in map[string][]int64, key, value string) {
		n++
		in[key+"="+value] = append(in[key+"="+value], n)
	}
	for _, words := range commands(t, string(text)) {
		switch strings.ToUpper(words[0]) {
		case "SET":
			now[words[1]] = words[2]
			note(written, words[1], words[2])
		case "INCRBY":
			sum, _ := strconv.ParseInt(now[words[1]], 10, 64)
			delta, _ := strconv.ParseInt(words[2], 10, 64)
			now[words[1]] = strconv.FormatInt(sum+delta, 10)
			note(written, words[1], now[words[1]])
		case "DEL", "UNLINK":
			for _, key := range words[1:] {
				note(removed, key, now[key])
				delete(now, key)
			}
		case "SELECT", "MULTI", "EXEC", "PERSIST":
		default:
			t.Fatalf("the server has logged %q", words)
		}
	}
	return written, removed
}

// commands takes a log apart. No value in it holds a line break.
func commands(t *testing.T, text string) (all [][]string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n")
	for i := 0; i < len(lines); {
		count, ok := strings.CutPrefix(lines[i], "*")
		n, err := strconv.Atoi(count)
		if !ok || err != nil || i+2*n >= len(lines) {
			t.Fatalf("line %d of the server's log is %q", i, lines[i])
		}
		var words []string
		for range n {
			i += 2
			words = append(words, lines[i])
		}
		all = append(all, words)
		i++
	}
	return all
}
