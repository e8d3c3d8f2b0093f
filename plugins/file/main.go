// Command harpia-store-file is the store plugin that keeps entries on disk.
package main

import (
	"os"

	"github.com/harpia-go/harpia/shared"
)

func main() {
	if len(os.Args) > 1 {
		os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
	}
	shared.Serve(&Store{})
}
