package pluginstore

import (
	"os"

	"github.com/harpia-go/harpia/shared"
)

// heldPrefix begins the name of a private directory that is locked.
const heldPrefix = shared.SocketDirPrefix + "held-"

// privateDir is a directory that only this user can enter. The process that
// made it holds it locked until it removes it, or is killed.
type privateDir struct {
	path string
	held *os.File // nil: it could not be locked
}

func (d *privateDir) remove() error {
	err := os.RemoveAll(d.path)
	_ = d.held.Close()
	return err
}
