// Command harpia-store-redis is the store plugin that keeps entries in Redis
// or Valkey: one server, one that sentinels watch over, or a cluster.
package main

import (
	"os"
	"runtime"

	"github.com/harpia-go/harpia/shared"
)

func main() {
	leaveProcessors()
	// Memory that is never touched takes none. It makes the heap look larger
	// than what this process keeps of what it passes on, so that garbage is
	// collected after each 32 MiB and not after each 4: that would be a tenth of
	// its time.
	ballast := make([]byte, 32<<20)
	shared.Serve(&Store{})
	runtime.KeepAlive(ballast)
}

// leaveProcessors has this process use half of the processors. It does little
// with what it passes on, so most of its time is for waking threads on other
// processors: of two, it needs a third less with one, and those that it works
// for have the other.
func leaveProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS((runtime.GOMAXPROCS(0) + 1) / 2)
	}
}
