// Command harpia-store-file is the store plugin that keeps entries on disk.
package main

import "github.com/harpia-go/harpia/shared"

func main() { shared.Serve(&Store{}) }
