package pluginstore

import (
	"context"
	"log/slog"
	"os"
	"strings"

	"github.com/harpia-go/harpia/shared"
)

// passedOn are the variables of the host's environment that every plugin sees.
// Whatever else is there, credentials of the host among them, stays in the
// host.
var passedOn = [...]string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}

func environment(o *Options) []string {
	var env []string
	for _, name := range append(passedOn[:], o.Env...) {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	level := slog.LevelError
	for _, l := range []slog.Level{slog.LevelWarn, slog.LevelInfo, slog.LevelDebug} {
		if o.Logger.Enabled(context.Background(), l) {
			level = l
		}
	}
	return append(env, shared.EnvLogLevel+"="+strings.ToLower(level.String()))
}
