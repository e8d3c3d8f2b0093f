package harpia_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/harpia-go/harpia/"

// mayImport is the direction of imports: what each package may import of this
// module, its tests aside. See docs/design.md.
var mayImport = map[string][]string{
	"cache":                   {},
	"cache/storetest":         {"cache"},
	"shared/storepb":          {},
	"shared":                  {"cache", "shared/storepb", "internal/reclaim"},
	"internal/version":        {},
	"internal/memstore":       {"cache", "shared", "internal/version"},
	"cache/pluginstore":       {"cache", "shared", "internal/memstore", "internal/spool"},
	"cache/pluginstore/chaos": {"cache", "cache/pluginstore", "shared", "shared/storepb", "internal/memstore"},
	"internal/reclaim":        {},
	"internal/spool":          {"cache"},
	"internal/server":         {"cache", "internal/reclaim"},
	"plugins/memory":          {"shared", "internal/memstore"},
	"plugins/file":            {"cache", "shared", "internal/version"},
	"plugins/redis":           {"cache", "shared", "internal/version"},
	"cmd/host":                {"cache", "cache/pluginstore", "cache/storetest", "shared", "internal/reclaim", "internal/server", "internal/version"},
	"examples":                {},
	"examples/library":        {"cache", "cache/pluginstore"},
	"examples/plugin":         {"cache", "shared"},
	"examples/ratelimit":      {"cache", "cache/pluginstore"},
	"examples/sessions":       {"cache", "cache/pluginstore"},
	"internal/proctest":       {},
	"internal/redistest":      {},
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Fields(string(out))
}

func TestImportsPointOneWay(t *testing.T) {
	for _, path := range goList(t, "./...") {
		name := strings.TrimPrefix(path, module)
		if path+"/" == module {
			continue
		}
		allowed, ok := mayImport[name]
		if !ok {
			t.Errorf("%s is new: say here what it may import", name)
			continue
		}
		for _, dep := range goList(t, "-f", `{{join .Imports "\n"}}`, path) {
			if short, ours := strings.CutPrefix(dep, module); ours && !slices.Contains(allowed, short) {
				t.Errorf("%s imports %s", name, short)
			}
		}
	}
}

// Who uses only the library pays for no plugin machinery.
func TestTheLibraryIsLight(t *testing.T) {
	for _, dep := range goList(t, "-deps", "./cache") {
		if strings.HasPrefix(dep, "google.golang.org/grpc") || strings.HasPrefix(dep, "github.com/hashicorp/go-plugin") {
			t.Errorf("package cache links %s", dep)
		}
	}
	const most = 6 << 20
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(`package main

import (
	"context"
	"fmt"

	"github.com/harpia-go/harpia/cache"
)

func main() {
	c, err := cache.New[string](cache.Options{})
	if err != nil {
		panic(err)
	}
	_ = c.Set(context.Background(), "k", "v")
	fmt.Println(c.Get(context.Background(), "k"))
}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", program, filepath.Join(dir, "main.go")).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a program that imports only package cache has %d bytes", info.Size())
	if info.Size() > most {
		t.Errorf("a program that imports only package cache has %d bytes, more than %d", info.Size(), most)
	}
}
