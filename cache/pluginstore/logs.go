package pluginstore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	hclog "github.com/hashicorp/go-hclog"
)

const (
	// maxLine is how much of one line of a plugin's output is kept.
	maxLine = 16 << 10
	// maxTail is how much of a plugin's last output an error quotes.
	maxTail = 2 << 10
)

// hclogTo returns a logger for go-plugin whose records arrive at log. What
// go-plugin calls an error is mostly the end of a process, which pluginstore
// reports in its own words, so nothing of it is louder than debug.
func hclogTo(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Trace, Output: io.Discard})
	l.RegisterSink(sink{log})
	return l
}

type sink struct{ log *slog.Logger }

// Accept implements hclog.SinkAdapter.
func (s sink) Accept(_ string, _ hclog.Level, msg string, args ...any) {
	s.log.Debug(msg, args...)
}

// output is a plugin's standard error, whatever it writes: its lines go to the
// log, and the end of them is kept for the error that reports the plugin's
// death. go-plugin is not given these bytes: it trusts their form.
type output struct {
	log *slog.Logger

	mu   sync.Mutex
	tail []string
	size int
}

func (o *output) line(line string, s *secrets) {
	level, msg, attrs := parseLine(line, s)
	o.log.LogAttrs(context.Background(), level, msg, attrs...)
	if level < slog.LevelWarn {
		return
	}
	for _, a := range attrs {
		for _, field := range a.Value.Group() {
			msg += fmt.Sprintf(" %s=%v", field.Key, field.Value)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, msg)
	o.size += len(msg)
	for o.size > maxTail && len(o.tail) > 1 {
		o.size -= len(o.tail[0])
		o.tail = o.tail[1:]
	}
}

// last returns the last lines that matter: warnings, errors and what is no
// log record.
func (o *output) last() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.TrimSpace(strings.Join(o.tail, "\n"))
	if len(text) > maxTail {
		text = text[:maxTail] + "…"
	}
	return text
}

// parseLine reads a record in hclog's JSON, without the secrets that may be in
// it. Anything else is a message at warn: a plugin that logs properly has no
// reason to write it.
func parseLine(line string, s *secrets) (slog.Level, string, []slog.Attr) {
	var record map[string]any
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &record) != nil {
		return slog.LevelWarn, s.hide(line), nil
	}
	msg, ok := record["@message"].(string)
	name, _ := record["@level"].(string)
	if !ok {
		return slog.LevelWarn, s.hide(line), nil
	}
	msg = s.hide(msg)
	level := slog.LevelInfo
	switch name {
	case "trace", "debug":
		level = slog.LevelDebug
	default:
		_ = level.UnmarshalText([]byte(name))
	}
	// In a group: they must not pass for the host's own.
	var fields []any
	for _, k := range slices.Sorted(maps.Keys(record)) {
		if !strings.HasPrefix(k, "@") {
			fields = append(fields, slog.Any(k, s.hideIn(record[k])))
		}
	}
	if len(fields) == 0 {
		return level, msg, nil
	}
	return level, msg, []slog.Attr{slog.Group("fields", fields...)}
}

// lines is a writer that calls each for every line, without its end; a longer
// line than maxLine arrives in pieces.
type lines struct {
	each func(line string)
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		switch {
		case i >= 0 && i <= maxLine:
			l.each(string(bytes.TrimSuffix(l.rest[:i], []byte("\r"))))
			l.rest = l.rest[i+1:]
		case len(l.rest) >= maxLine:
			l.each(string(l.rest[:maxLine]))
			l.rest = l.rest[maxLine:]
		default:
			return len(p), nil
		}
	}
}
