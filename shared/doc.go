// Package shared is the contract between a host and its store plugins: the
// gRPC service harpia.store.v1.Store (proto/ and storepb/), the handshake, the
// host's Client, and Serve, which is all that a plugin written in Go needs:
//
//	func main() { shared.Serve(&Store{}) }
//
// A store that has settings or something to open implements Configurer, one
// with a name of its own Describer. docs/protocol.md describes the same for
// plugins in other languages.
package shared
