package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

// noJournal is the value of --journal-dir for none on disk.
const noJournal = "none"

// stateDirHelp says what stateDir is.
const stateDirHelp = "harpia/journal in $STATE_DIRECTORY, $XDG_STATE_HOME or ~/.local/state"

// journal says where the journal of a durable store is kept. It is the same for all
// commands: what a server has left is handed over before anything else is written.
func (a *app) journal() pluginstore.JournalLimits {
	switch a.journalDir {
	case "":
		return pluginstore.JournalLimits{Dir: stateDir()}
	case noJournal:
		return pluginstore.JournalLimits{Dir: stateDir(), OnlyHandOver: true}
	}
	return pluginstore.JournalLimits{Dir: a.journalDir}
}

// stateDir is where a program keeps what it must not lose: as systemd says, or the XDG
// base directories. "": nowhere.
func stateDir() string {
	dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
	if !filepath.IsAbs(dir) {
		dir = os.Getenv("XDG_STATE_HOME")
	}
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil || !filepath.IsAbs(home) {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "harpia", "journal")
}

// openStore opens the store. Where the directory of the journal that nobody chose
// cannot be used, the journal is in memory only.
func (a *app) openStore(ctx context.Context, o *pluginstore.Options) (*pluginstore.Store, error) {
	s, err := pluginstore.Open(ctx, a.spec(), o)
	if !errors.Is(err, pluginstore.ErrJournalDir) || a.journalDir != "" && a.journalDir != noJournal {
		return s, err
	}
	o.Logger.Info("the journal is in memory only: what is written while the plugin is down is lost if this process is killed; choose a directory with --journal-dir", "error", err)
	o.Journal.Dir = ""
	return pluginstore.Open(ctx, a.spec(), o)
}
