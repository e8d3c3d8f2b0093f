package shared

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"
)

// A store may log attributes of any name and type.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out, slog.LevelInfo)
	log.Debug("not wanted")
	log.Warn("compacted", "time", time.Second, "level", 3, "n", 7)
	var record map[string]any
	if err := json.Unmarshal(out.Bytes(), &record); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if record["@level"] != "warn" || record["@message"] != "compacted" || record["n"] != 7.0 || record["level"] != 3.0 {
		t.Errorf("the record is %s", &out)
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000000Z07:00", record["@timestamp"].(string)); err != nil {
		t.Error(err)
	}
}
