//go:build unix

package pluginstore

import (
	"fmt"
	"os"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// maxSocketPath is the longest path that a Unix socket may have everywhere;
// Linux would allow 108 bytes with the NUL, macOS has 104.
const maxSocketPath = 103

// socketDir makes a private directory for one plugin's socket. Where the
// temporary directory's path is too long for a socket, /tmp serves.
func socketDir() (string, error) {
	// What go-plugin and the plugin append: /plugin-dirN/pluginN.
	const room = len("/harpia-1234567890/plugin-dir1234567890/plugin1234567890")
	parent := os.TempDir()
	if len(parent)+room > maxSocketPath {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, shared.SocketDirPrefix)
	if err != nil {
		return "", fmt.Errorf("%w: %w: no directory for the plugin's socket: %w; set TMPDIR to a short path that you can write to", ErrStart, cache.ErrUnavailable, err)
	}
	return dir, nil
}
