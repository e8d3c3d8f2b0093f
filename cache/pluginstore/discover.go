package pluginstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"

	"github.com/harpia-go/harpia/shared"
)

// ErrNotFound: there is no such plugin, or it is no program.
var ErrNotFound = errors.New("pluginstore: plugin not found")

// EnvPluginDir is the variable that names further plugin directories,
// separated as in PATH. They must be absolute.
const EnvPluginDir = "HARPIA_PLUGIN_DIR"

// Found is a plugin in one of the plugin directories.
type Found struct {
	Name string
	Path string
}

// DefaultDirs returns where plugins are looked for by name: beside the
// running program, in HARPIA_PLUGIN_DIR, in the user's data directory. Never
// the working directory.
func DefaultDirs() ([]string, error) {
	var dirs []string
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			dirs = append(dirs, filepath.Dir(exe))
		}
	}
	for _, dir := range filepath.SplitList(os.Getenv(EnvPluginDir)) {
		if dir == "" {
			continue
		}
		if !filepath.IsAbs(dir) {
			return nil, fmt.Errorf("pluginstore: %s has %q, which depends on the working directory; give an absolute path", EnvPluginDir, dir)
		}
		dirs = append(dirs, dir)
	}
	if data := dataDir(); data != "" {
		dirs = append(dirs, filepath.Join(data, "harpia", "plugins"))
	}
	return dirs, nil
}

func dataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return ""
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support")
	}
	return filepath.Join(home, ".local", "share")
}

// List returns the plugins in dirs, by name; of two with one name the one that
// Open would take. What cannot be run is left out. A directory that is not
// there holds none.
func List(dirs []string) ([]Found, error) {
	byName := make(map[string]Found)
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("pluginstore: list plugins: %w", err)
		}
		for _, e := range entries {
			name, ok := strings.CutPrefix(e.Name(), shared.BinaryPrefix)
			name = strings.TrimSuffix(name, exeSuffix)
			if _, taken := byName[name]; ok && !taken && nameOnly.MatchString(name) {
				byName[name] = Found{Name: name, Path: filepath.Join(dir, e.Name())}
			}
		}
	}
	found := make([]Found, 0, len(byName))
	for _, f := range byName {
		if checkProgram(f.Path) == nil {
			found = append(found, f)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name < found[j].Name })
	return found, nil
}

// find returns the absolute path of the plugin that u names.
func find(u URL, dirs []string) (string, error) {
	if u.Path != "" {
		path, err := filepath.Abs(u.Path)
		if err != nil {
			return "", fmt.Errorf("pluginstore: %s: %w", u.Path, err)
		}
		return path, checkProgram(path)
	}
	file := shared.BinaryPrefix + u.Name + exeSuffix
	for _, dir := range dirs {
		path, err := filepath.Abs(filepath.Join(dir, file))
		if err != nil {
			return "", fmt.Errorf("pluginstore: %s: %w", dir, err)
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return path, checkProgram(path)
	}
	return "", fmt.Errorf("%w: no %s in %s; build or copy it there, or name another directory with --plugin-dir or %s",
		ErrNotFound, file, strings.Join(dirs, ", "), EnvPluginDir)
}

// checkProgram says early, and in plain words, why path cannot be run.
func checkProgram(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: there is no file %s", ErrNotFound, path)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return checkMode(path, info)
}

func checkMode(path string, info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is not a program but a %s", ErrNotFound, path, kind(info.Mode()))
	case runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return fmt.Errorf("%w: %s is not executable; if it is a plugin: chmod +x %[2]s", ErrNotFound, path)
	}
	return nil
}

func kind(m fs.FileMode) string {
	if m.IsDir() {
		return "directory"
	}
	return "special file"
}
