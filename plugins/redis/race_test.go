//go:build race

package main

// The plugin's own process is looked at too.
var buildFlags = []string{"-race"}
