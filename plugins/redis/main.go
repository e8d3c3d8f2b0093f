// Command harpia-store-redis is the store plugin that keeps entries in Redis
// or Valkey: one server, one that sentinels watch over, or a cluster.
package main

import "github.com/harpia-go/harpia/shared"

func main() { shared.Serve(&Store{}) }
