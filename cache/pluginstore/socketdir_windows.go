package pluginstore

import (
	"fmt"
	"log/slog"

	"github.com/harpia-go/harpia/cache"
)

// socketDir refuses, so that no plugin is started here: on Windows go-plugin
// listens on TCP, where nothing keeps other users of the machine out.
func socketDir() (*privateDir, error) {
	return nil, fmt.Errorf("%w: %w: on Windows a plugin would listen on TCP, where other users can reach it, and is not run; use the store memory, which needs none",
		ErrStart, cache.ErrUnavailable)
}

func sweep(*slog.Logger) {}
