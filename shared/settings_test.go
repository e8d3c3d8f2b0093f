package shared

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var declared = []Setting{
	{Name: "dir", Required: true, Help: "Where.", Source: FromTarget},
	{Name: "sync", Choices: []string{"always", "never"}, Default: "never"},
	{Name: "wait", Type: Duration, Default: "100ms"},
	{Name: "most", Type: Size},
	{Name: "db", Type: Int},
	{Name: "fast", Type: Bool},
	{Name: "password", Type: Int, Secret: true},
	{Name: "address", Repeated: true},
}

func TestSettings(t *testing.T) {
	s, err := CheckSettings(declared, []SettingValue{
		{"dir", "./data"}, {"most", "64KiB"}, {"db", "-3"}, {"fast", "true"}, {"address", "a"}, {"address", "b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.String("dir") != "./data" || s.String("sync") != "never" || s.Duration("wait") != 100*time.Millisecond ||
		s.Size("most") != 64<<10 || s.Int("db") != -3 || !s.Bool("fast") || strings.Join(s.Strings("address"), " ") != "a b" {
		t.Errorf("%+v", s)
	}
	if s.Has("password") || !s.Has("wait") {
		t.Error("Has counts neither defaults nor what is missing right")
	}
}

func TestWrongSettings(t *testing.T) {
	for text, given := range map[string][]SettingValue{
		`no setting "colour"`:          {{"dir", "d"}, {"colour", "blue"}},
		"dir is required: Where.":      {},
		"sync must be one of always":   {{"dir", "d"}, {"sync", "sometimes"}},
		"wait must be a duration":      {{"dir", "d"}, {"wait", "-1s"}},
		`most must be a size such as`:  {{"dir", "d"}, {"most", "-1"}},
		"db must be an integer":        {{"dir", "d"}, {"db", "1.5"}},
		"fast must be true or false":   {{"dir", "d"}, {"fast", "yes"}},
		"dir is given twice":           {{"dir", "d"}, {"dir", "e"}},
		"password must be an integer":  {{"dir", "d"}, {"password", "hunter2"}},
		"there is dir, sync, wait, mo": {{"dir", "d"}, {"x", ""}},
	} {
		_, err := CheckSettings(declared, given)
		if !errors.Is(err, ErrSetting) || !strings.Contains(err.Error(), text) {
			t.Errorf("%v\ndoes not say: %s", err, text)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1048576": 1 << 20, "64KiB": 64 << 10, "1.5MiB": 3 << 19, "10MB": 10_000_000, "2 GiB": 2 << 30,
		"7B": 7, "9223372036854775807": 1<<63 - 1,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1e400", "NaN", "InfB", "8388608TiB", "9223372036854775808", "12 apples"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		if n, err := ParseSize(rapid.String().Draw(t, "text")); err == nil && n < 0 {
			t.Fatalf("negative: %d", n)
		}
	})
}
