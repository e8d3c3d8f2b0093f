//go:build !unix

package shared

// endGroup does nothing: there are no process groups here.
func endGroup() {}
