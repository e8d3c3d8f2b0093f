// Host runs a cache on a store that is chosen at run time: in memory, or in a
// plugin, a program of its own. It reads and writes single values, serves the
// cache over HTTP, and lists, describes and tests plugins.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once; its plugin notices. SIGHUP is
	// the command's affair.
	context.AfterFunc(ctx, stop)
	// A reader that has seen enough, as in "host keys | head", must not kill
	// the program before it has ended its plugin.
	signal.Ignore(syscall.SIGPIPE)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: it does what args say and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(numbersAreWords(root, args))
	err := root.ExecuteContext(ctx)
	if errors.Is(err, syscall.EPIPE) {
		err = nil
	}
	if closeErr := a.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		fmt.Fprintln(stderr, "host:", message(err))
	}
	return exitCode(err)
}
