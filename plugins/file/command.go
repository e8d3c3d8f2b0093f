package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/harpia-go/harpia/shared"
)

const usage = `usage:
  harpia-store-file salvage [-json] DIR [NEWDIR]

Reads the store in DIR, which no process may be using, and says what cannot be read.
Copies the rest to NEWDIR, which must be empty or missing. DIR is not changed. A host
runs this as:
  host doctor --store file:DIR [--salvage NEWDIR]
`

// command does what the arguments say in place of serving a host, which gives none. It
// returns the exit code: 0 done, 2 wrong usage, 3 failed.
func command(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	asJSON := len(args) > 1 && args[0] == "salvage" && args[1] == "-json"
	dirs := args[1:]
	if asJSON {
		dirs = dirs[1:]
	}
	if args[0] != "salvage" || len(dirs) < 1 || len(dirs) > 2 || dirs[0] == "" {
		fmt.Fprint(stderr, usage)
		return 2
	}
	r, err := salvageStore(ctx, dirs[0], append(dirs, "")[1])
	if err == nil {
		if asJSON {
			err = json.NewEncoder(stdout).Encode(r)
		} else {
			err = r.write(stdout)
		}
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(ctx.Err(), context.Canceled):
		err = errors.New("interrupted, and nothing was copied")
	}
	fmt.Fprintln(stderr, err)
	if errors.Is(err, shared.ErrSetting) {
		return 2
	}
	return 3
}
