package shared

import plugin "github.com/hashicorp/go-plugin"

// PluginName is the name under which go-plugin knows the store service.
const PluginName = "store"

// ProtocolVersion is that of harpia.store.v1.
const ProtocolVersion = 1

// BinaryPrefix begins the file name of every store plugin that is found by
// name: "file" is the program harpia-store-file.
const BinaryPrefix = "harpia-store-"

// Handshake tells a store plugin that it was started by a Harpia host. It is
// a convenience for people who start one by hand, not a secret.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  ProtocolVersion,
		MagicCookieKey:   "HARPIA_STORE_PLUGIN",
		MagicCookieValue: "5f1d9a1c-store-v1",
	}
}
