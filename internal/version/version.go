// Package version holds the one version number of this module's programs.
package version

// Number is that of the next release, or of this one in a tagged tree.
const Number = "0.1.0"
