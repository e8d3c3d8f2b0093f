//go:build linux

package pluginstore_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

// However the file of a trusted program is swapped while it is being opened and
// started, the swapped bytes are never run: they would leave a mark.
func TestSwappedProgramIsNeverRun(t *testing.T) {
	const tries = 500
	for name, swap := range map[string]func(file string, text []byte) error{
		"renamed over it": func(file string, text []byte) error {
			fresh := file + ".fresh"
			if err := os.WriteFile(fresh, text, 0o700); err != nil {
				return err
			}
			return os.Rename(fresh, file)
		},
		"written into it": func(file string, text []byte) error {
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Write(text)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			file, mark := filepath.Join(t.TempDir(), "swapped"), filepath.Join(t.TempDir(), "mark")
			// As long as one another: each is written over the other.
			good := fmt.Appendf(nil, "#!/bin/sh\nexit 33; echo ran >> '%s'\n", mark)
			evil := fmt.Appendf(nil, "#!/bin/sh\necho ran >> '%s'; exit 44\n", mark)
			if err := os.WriteFile(file, good, 0o700); err != nil {
				t.Fatal(err)
			}
			o := l.options()
			o.NoTLS = true // a certificate for each start would take most of the time
			o.Locks = []string{lockOf(t, "swapped", good)}

			stop := make(chan struct{})
			var swapper sync.WaitGroup
			swapper.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					if err := swap(file, [][]byte{good, evil}[i%2]); err != nil {
						t.Error(err)
						return
					}
				}
			})
			var mu sync.Mutex
			var started, refused int
			var openers sync.WaitGroup
			for range 2 {
				openers.Go(func() {
					for range tries / 2 {
						_, err := pluginstore.Open(context.Background(), file, o)
						mu.Lock()
						switch {
						case errors.Is(err, pluginstore.ErrUntrusted):
							refused++
						case errors.Is(err, pluginstore.ErrStart) && strings.Contains(err.Error(), "exit status 33"):
							started++
						default:
							t.Errorf("neither refused nor started: %v", err)
						}
						mu.Unlock()
					}
				})
			}
			openers.Wait()
			close(stop)
			swapper.Wait()
			if text, err := os.ReadFile(mark); err == nil {
				t.Errorf("swapped bytes were run %d times", strings.Count(string(text), "\n"))
			}
			t.Logf("%d times the trusted bytes were run, %d times others refused", started, refused)
			if started == 0 || refused == 0 {
				t.Errorf("started %d times, refused %d times: nothing was tested", started, refused)
			}
		})
	}
}

// lockOf writes a lock file that pins a program.
func lockOf(t *testing.T, name string, program []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plugins.lock")
	pin := fmt.Sprintf("%s 1.0 %s/%s sha256:%x\n", name, runtime.GOOS, runtime.GOARCH, sha256.Sum256(program))
	if err := os.WriteFile(file, []byte(pin), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
