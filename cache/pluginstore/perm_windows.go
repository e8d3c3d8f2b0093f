package pluginstore

import "io/fs"

// guarded accepts everything: who may write is in access control lists here,
// not in the mode.
func guarded(string, fs.FileInfo) error { return nil }

func anybodyRenames(fs.FileInfo) bool { return false }

func mayRun(string) error { return nil }
