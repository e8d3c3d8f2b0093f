package pluginstore

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// runGrace is how long a program that was interrupted may take to clean up.
const runGrace = 10 * time.Second

// RunProgram runs the program of the plugin that the URL names with arguments, for
// what it does beside being a store. The program must be trusted, as for Open; it
// sees the same environment, and no store is opened. When ctx ends, the program is
// interrupted. The error wraps an *exec.ExitError if the program failed.
func RunProgram(ctx context.Context, storeURL string, o *Options, args []string, stdout, stderr io.Writer) error {
	u, o, err := parseFor(storeURL, o)
	if err != nil {
		return err
	}
	if u.InProcess {
		return fmt.Errorf("%w %q: this store has no program", ErrURL, u)
	}
	prog, err := openProgram(u, o)
	if err != nil {
		return err
	}
	defer prog.Close()
	dir, err := socketDir()
	if err != nil {
		return err
	}
	defer dir.remove()
	exe, err := prog.place(dir.path)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Args[0] = prog.path
	cmd.Env = environment(o)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = runGrace
	if err := cmd.Run(); err != nil {
		if cmd.Process == nil {
			return fmt.Errorf("%w: %w: %s could not be executed: %w", ErrStart, cache.ErrUnavailable, prog.path, err)
		}
		return fmt.Errorf("pluginstore: %s: %w", prog.path, err)
	}
	return nil
}
