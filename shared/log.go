package shared

import (
	"io"
	"log/slog"
	"strings"
)

// newLogger writes the JSON lines that a host reads from a plugin's standard
// error: the format of hashicorp/go-hclog.
func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: hclogAttr}))
}

func hclogAttr(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	// A store may log an attribute of the same name, of any type.
	switch level, isLevel := a.Value.Any().(slog.Level); {
	case a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime:
		return slog.String("@timestamp", a.Value.Time().Format("2006-01-02T15:04:05.000000Z07:00"))
	case a.Key == slog.LevelKey && isLevel:
		return slog.String("@level", strings.ToLower(level.String()))
	case a.Key == slog.MessageKey && a.Value.Kind() == slog.KindString:
		a.Key = "@message"
	}
	return a
}
