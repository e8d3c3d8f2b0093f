package pluginstore

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
)

// maxHandshake bounds the first line; the largest part of it is a certificate.
const maxHandshake = 16 << 10

// handshake is a plugin's standard output as go-plugin reads it: the first
// line, of any length up to the bound, and then silence. What a plugin prints
// later goes to the log, so that no line can be too long for go-plugin and
// block the plugin.
type handshake struct {
	pipe *os.File
	rest *lines        // what is printed after the first line
	done chan struct{} // closed at the end of the output

	mu     sync.Mutex // for line, which others call
	first  []byte     // what was printed so far of the first line
	passed bool       // it is complete
	read   int        // how much of it was read
	ended  sync.Once
}

// Read implements io.Reader.
func (h *handshake) Read(p []byte) (int, error) {
	if h.read < len(h.first) && h.passed {
		n := copy(p, h.first[h.read:])
		h.read += n
		return n, nil
	}
	var buf [4 << 10]byte
	for {
		n, err := h.pipe.Read(buf[:])
		switch {
		case n > 0 && h.passed:
			_, _ = h.rest.Write(buf[:n])
		case n > 0 && h.take(buf[:n]):
			h.read = copy(p, h.first)
			return h.read, nil
		}
		if err != nil {
			h.ended.Do(func() { close(h.done) })
			return 0, io.EOF
		}
	}
}

// take collects the first line and reports whether it is complete.
func (h *handshake) take(got []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.first = append(h.first, got...)
	if i := bytes.IndexByte(h.first, '\n'); i >= 0 {
		_, _ = h.rest.Write(h.first[i+1:])
		h.first = h.first[:i+1]
		h.passed = true
	} else if len(h.first) > maxHandshake {
		h.first = append(h.first[:maxHandshake], '\n')
		h.passed = true
	}
	return h.passed
}

// line returns what was printed of the first line.
func (h *handshake) line() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.TrimSpace(string(h.first))
}

// Close implements io.Closer.
func (h *handshake) Close() error { return h.pipe.Close() }
