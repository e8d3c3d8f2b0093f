//go:build !unix

package main

// hasTerminal reports false: the system sends no SIGHUP, and tells of a closed
// console as of other ends.
func hasTerminal() bool { return false }
