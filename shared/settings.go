package shared

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Description is what a plugin tells of itself. A store tells it by
// implementing Describer; the zero value of each field works.
type Description struct {
	// Name is the plugin's; default: the file name of the program without
	// "harpia-store-".
	Name string
	// Version is the plugin's own; default: that of the program's main module.
	Version string
	// Exclusive promises that only this plugin changes the store's data while
	// it runs, and that after its process was killed each key holds what was
	// last acknowledged, or nothing: never an older value. Without it the host
	// assumes that others change the data, and promises less while the plugin
	// is down.
	Exclusive bool
	// Durable promises that what the store acknowledged survives the death of its
	// process. Of a store that is not durable the host may give up data to stay
	// available; of a durable one it gives up availability only.
	Durable bool
	// Settings are those that Configure takes.
	Settings []Setting
}

// Describer is a store that describes itself. Describe is called before
// Configure.
type Describer interface {
	Describe() Description
}

// Configurer is a store that takes settings or has something to open.
type Configurer interface {
	// Configure opens the store. It is called once, before any other call
	// except Describe, Limits and Close. The settings were checked against the
	// Description and hold its defaults. An error wraps ErrSetting if other
	// settings would help.
	Configure(ctx context.Context, s Settings) error
}

// ErrSetting: a setting does not exist, is missing, or has a wrong value.
var ErrSetting = errors.New("shared: wrong setting")

// SettingType says how the text of a setting is read.
type SettingType int

// The types of settings, with the Settings method that reads each.
const (
	String   SettingType = iota // any text; Settings.String
	Int                         // decimal, 64 bits; Settings.Int
	Bool                        // "true" or "false"; Settings.Bool
	Duration                    // "100ms", "1h30m", not negative; Settings.Duration
	Size                        // bytes: "1048576", "64KiB", "10MB"; Settings.Size
)

var settingTypeNames = [...]string{"string", "int", "bool", "duration", "size"}

func (t SettingType) String() string {
	if t < 0 || int(t) >= len(settingTypeNames) {
		return "string"
	}
	return settingTypeNames[t]
}

// SettingSource says which part of a store URL fills a setting.
type SettingSource int

// The parts of a store URL.
const (
	FromName   SettingSource = iota // only ?name=value
	FromTarget                      // what follows the plugin's name: DIR in "file:DIR"
	FromURL                         // the URL up to its "?"
)

// Setting documents one setting.
type Setting struct {
	Name     string
	Type     SettingType
	Default  string // as text; the empty text is no default
	Help     string // one sentence, shown by "host plugins describe"
	Required bool
	Secret   bool     // never shown, logged or put into an error
	Choices  []string // if any, the value is one of these
	Repeated bool     // may be given more than once
	Source   SettingSource
}

// SettingValue is one setting as given.
type SettingValue struct {
	Name, Value string
}

// Settings holds checked settings by name.
type Settings struct {
	values map[string][]string
}

// CheckSettings checks given against what is declared and adds the defaults.
// Its errors wrap ErrSetting, name the setting, and never show a secret.
func CheckSettings(declared []Setting, given []SettingValue) (Settings, error) {
	byName := make(map[string]Setting, len(declared))
	for _, d := range declared {
		byName[d.Name] = d
	}
	values := make(map[string][]string)
	for _, g := range given {
		d, ok := byName[g.Name]
		if !ok {
			return Settings{}, fmt.Errorf("%w: there is no setting %q; there is %s", ErrSetting, g.Name, settingNames(declared))
		}
		if len(values[g.Name]) > 0 && !d.Repeated {
			return Settings{}, fmt.Errorf("%w: %s is given twice", ErrSetting, g.Name)
		}
		if err := d.check(g.Value); err != nil {
			return Settings{}, err
		}
		values[g.Name] = append(values[g.Name], g.Value)
	}
	for _, d := range declared {
		if len(values[d.Name]) > 0 {
			continue
		}
		if d.Required {
			return Settings{}, fmt.Errorf("%w: %s is required: %s", ErrSetting, d.Name, d.Help)
		}
		if d.Default != "" {
			values[d.Name] = []string{d.Default}
		}
	}
	return Settings{values: values}, nil
}

func settingNames(declared []Setting) string {
	if len(declared) == 0 {
		return "none at all"
	}
	names := make([]string, len(declared))
	for i, d := range declared {
		names[i] = d.Name
	}
	return strings.Join(names, ", ")
}

func (d Setting) check(value string) error {
	var err error
	want := "a " + d.Type.String()
	switch d.Type {
	case Int:
		want = "an integer"
		_, err = strconv.ParseInt(value, 10, 64)
	case Bool:
		want = "true or false"
		_, err = parseBool(value)
	case Duration:
		want = `a duration such as "100ms"`
		_, err = parseDuration(value)
	case Size:
		want = `a size such as "64MiB"`
		_, err = ParseSize(value)
	}
	if len(d.Choices) > 0 {
		want = "one of " + strings.Join(d.Choices, ", ")
		err = errors.New("no choice")
		for _, c := range d.Choices {
			if c == value {
				err = nil
			}
		}
	}
	switch {
	case err == nil:
		return nil
	case d.Secret:
		return fmt.Errorf("%w: %s must be %s", ErrSetting, d.Name, want)
	}
	return fmt.Errorf("%w: %s must be %s, not %q", ErrSetting, d.Name, want, value)
}

// Has reports whether the setting was given or has a default.
func (s Settings) Has(name string) bool { return len(s.values[name]) > 0 }

// Strings returns every value of a repeated setting.
func (s Settings) Strings(name string) []string { return s.values[name] }

// String returns the setting's text, or "" if it has none.
func (s Settings) String(name string) string {
	if v := s.values[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Int returns an Int setting, or 0 if it has no value.
func (s Settings) Int(name string) int64 {
	n, _ := strconv.ParseInt(s.String(name), 10, 64)
	return n
}

// Bool returns a Bool setting, or false if it has no value.
func (s Settings) Bool(name string) bool {
	b, _ := parseBool(s.String(name))
	return b
}

// Duration returns a Duration setting, or 0 if it has no value.
func (s Settings) Duration(name string) time.Duration {
	d, _ := parseDuration(s.String(name))
	return d
}

// Size returns a Size setting in bytes, or 0 if it has no value.
func (s Settings) Size(name string) int64 {
	n, _ := ParseSize(s.String(name))
	return n
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("neither true nor false")
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = errors.New("negative")
	}
	return d, err
}

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"B", 1}, {"", 1},
}

// ParseSize reads a number of bytes with an optional unit: KiB, MiB, GiB, TiB
// (powers of 1024), kB, MB, GB, TB (powers of 1000) or B.
func ParseSize(text string) (int64, error) {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		if n, err := strconv.ParseUint(number, 10, 63); err == nil && u.bytes == 1 {
			return int64(n), nil
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || math.IsNaN(n) || n < 0 || n*u.bytes >= math.MaxInt64 {
			break
		}
		return int64(n * u.bytes), nil
	}
	return 0, fmt.Errorf("shared: %q is not a size such as 64MiB", text)
}
