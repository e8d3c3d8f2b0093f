package shared

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"unicode"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

// Info is what a host knows of a plugin: its Description, what it can do
// beyond the three methods, and its limits.
type Info struct {
	Description
	Capabilities cache.Capability
	Limits       cache.Limits
}

// The wire's numbers of the capabilities, in the order of cache's bits.
var wireCapabilities = [...]storepb.Capability{
	storepb.Capability_CAPABILITY_BATCH,
	storepb.Capability_CAPABILITY_ADD,
	storepb.Capability_CAPABILITY_SWAP,
	storepb.Capability_CAPABILITY_COUNT,
	storepb.Capability_CAPABILITY_TOUCH,
	storepb.Capability_CAPABILITY_SCAN,
	storepb.Capability_CAPABILITY_CLEAR,
	storepb.Capability_CAPABILITY_WATCH,
	storepb.Capability_CAPABILITY_FLUSH,
}

// maxWireValue is the most that fits one gRPC message beside its key.
const maxWireValue = 1 << 30

// Describe asks a store in this process for what it is, and its methods for
// what it can do.
func Describe(store cache.Store) Info {
	info := Info{Capabilities: cache.CapabilitiesOf(store), Limits: cache.LimitsOf(store)}
	if d, ok := store.(Describer); ok {
		info.Description = d.Describe()
	}
	if info.Name == "" {
		info.Name = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(os.Args[0]), BinaryPrefix), ".exe")
	}
	if info.Version == "" {
		info.Version = "unknown"
		if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
			info.Version = build.Main.Version
		}
	}
	info.Limits.MaxValue = min(info.Limits.MaxValue, maxWireValue)
	return info
}

func (i Info) toWire() *storepb.DescribeResponse {
	r := &storepb.DescribeResponse{
		Name:      i.Name,
		Version:   i.Version,
		MaxValue:  int64(i.Limits.MaxValue),
		Exclusive: i.Exclusive,
		Durable:   i.Durable,
	}
	for bit, c := range wireCapabilities {
		if i.Capabilities.Has(1 << bit) {
			r.Capabilities = append(r.Capabilities, c)
		}
	}
	for _, s := range i.Settings {
		r.Settings = append(r.Settings, &storepb.Setting{
			Name: s.Name, Type: storepb.SettingType(s.Type), Default: s.Default, Help: s.Help,
			Required: s.Required, Secret: s.Secret, Choices: s.Choices, Repeated: s.Repeated,
			Source: storepb.SettingSource(s.Source),
		})
	}
	return r
}

// maxNameText is how long a plugin's name or version may be, in bytes.
const maxNameText = 200

// infoFromWire does not trust the plugin: what makes no sense is an error, and
// what this version does not know is left out.
func infoFromWire(r *storepb.DescribeResponse) (Info, error) {
	const most = 1000
	if len(r.GetSettings()) > most {
		return Info{}, fmt.Errorf("shared: the plugin declares %d settings, at most %d make sense", len(r.GetSettings()), most)
	}
	for _, text := range []string{r.GetName(), r.GetVersion()} {
		if len(text) > maxNameText || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
			return Info{}, fmt.Errorf("shared: the plugin's name or version is not one: %.40q", text)
		}
	}
	i := Info{
		Description: Description{Name: r.GetName(), Version: r.GetVersion(), Exclusive: r.GetExclusive(), Durable: r.GetDurable()},
		Limits:      cache.Limits{MaxValue: cache.DefaultMaxValue},
	}
	if n := r.GetMaxValue(); n > 0 {
		i.Limits.MaxValue = int(min(n, maxWireValue))
	}
	for _, c := range r.GetCapabilities() {
		for bit, known := range wireCapabilities {
			if c == known {
				i.Capabilities |= 1 << bit
			}
		}
	}
	seen := make(map[string]bool)
	for _, s := range r.GetSettings() {
		if s.GetName() == "" || seen[s.GetName()] {
			return Info{}, fmt.Errorf("shared: the plugin declares the setting %q twice or without a name", s.GetName())
		}
		seen[s.GetName()] = true
		i.Settings = append(i.Settings, Setting{
			Name: s.GetName(), Type: SettingType(s.GetType()), Default: s.GetDefault(), Help: s.GetHelp(),
			Required: s.GetRequired(), Secret: s.GetSecret(), Choices: s.GetChoices(), Repeated: s.GetRepeated(),
			Source: SettingSource(s.GetSource()),
		})
	}
	return i, nil
}
