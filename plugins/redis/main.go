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
	shared.Serve(&Store{})
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
