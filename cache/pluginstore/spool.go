package pluginstore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/spool"
	"github.com/harpia-go/harpia/shared"
)

// spooled is a journal on disk. While memory serves it is the bridge's, and has at
// least what the plugin is still to be told; then the quarantine's, and has just
// that. A nil spooled keeps nothing.
type spooled struct {
	log  *slog.Logger
	mu   sync.Mutex
	file *spool.File
	// bridged: memory serves. readOnly: nothing is kept any more.
	bridged, readOnly bool
}

// ErrJournalDir: JournalLimits.Dir cannot be used.
var ErrJournalDir = errors.New("pluginstore: the journal cannot be kept")

// openSpool opens the journal on disk of the store that p, which is open, holds. What
// an earlier process has left there goes to a bridge, from which p is told of it.
func (s *Store) openSpool(p plug) error {
	info := p.info()
	if s.o.Journal.Dir == "" || !info.Durable || !info.Exclusive {
		return nil
	}
	name, err := s.spoolName(info)
	if err != nil {
		return err
	}
	file, writes, err := spool.Open(s.o.Journal.Dir, name)
	switch {
	case errors.Is(err, spool.ErrLocked):
		return fmt.Errorf("%w: another process has this store open, and its plugin is down: %w", cache.ErrUnavailable, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrJournalDir, err)
	}
	if copied := file.Damaged(); copied != "" {
		s.board.log.Error("the journal that an earlier process left is damaged: what comes after the damage is lost", "copy", copied)
	}
	s.spool = &spooled{log: s.board.log, file: file, readOnly: s.o.Journal.OnlyHandOver}
	s.quarantine.spool = s.spool
	if len(writes) == 0 {
		return nil
	}
	s.board.log.Info("an earlier process has left a journal, which the plugin is told first", "file", file.Path(), "writes", len(writes))
	s.info.Store(&info)
	b := s.newBridge()
	b.load(writes)
	s.route.Store(&route{bridge: b, err: fmt.Errorf("%w: the plugin is still to be told what an earlier process left", cache.ErrUnavailable), next: make(chan struct{})})
	return nil
}

// spoolName names the file of a store: by the plugin's name and by what the target
// is, however it is written.
func (s *Store) spoolName(info shared.Info) (string, error) {
	given, err := settings(s.url, s.o, info)
	if err != nil {
		return "", err
	}
	target := s.url.Whole
	for _, declared := range info.Settings {
		if declared.Source != shared.FromTarget {
			continue
		}
		for _, g := range given {
			if g.Name == declared.Name {
				target = g.Value
			}
		}
	}
	if real, err := filepath.EvalSymlinks(target); err == nil {
		if target, err = filepath.Abs(real); err != nil {
			return "", fmt.Errorf("pluginstore: %w", err)
		}
	}
	sum := sha256.Sum256([]byte(info.Name + "\x00" + target))
	return info.Name + "-" + hex.EncodeToString(sum[:8]), nil
}

// take makes it a bridge's.
func (p *spooled) take() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bridged = true
}

// append adds a write.
func (p *spooled) append(key string, e *cache.Entry) error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readOnly && p.file.Empty() {
		return nil
	}
	// What was left there must not outlive what is written over it.
	if err := p.file.Append(spool.Write{Key: key, Entry: e}); err != nil {
		return fmt.Errorf("%w: the plugin is down, and the journal of what it is still to be sent cannot be written: %w", cache.ErrUnavailable, err)
	}
	return nil
}

// release leaves in it what the quarantine is to tell later. The plugin has been told
// the rest, and is about to serve.
func (p *spooled) release(q *quarantine) error {
	if p == nil {
		return nil
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.leave(q); err != nil {
		return err
	}
	p.bridged = false
	return nil
}

// update leaves in it what the quarantine is still to tell; q.mu is held.
func (p *spooled) update(q *quarantine) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bridged {
		return // it has more, and that does no harm
	}
	if err := p.leave(q); err != nil {
		p.log.Error("the journal of what the plugin is still to be told cannot be written", "error", err)
	}
}

// leave is called with both mutexes held.
func (p *spooled) leave(q *quarantine) error {
	var writes []spool.Write
	for _, w := range q.allDue() {
		due := spool.Write{Key: w.key}
		if w.set {
			due.Entry = &w.entry
		}
		writes = append(writes, due)
	}
	if p.readOnly && p.file.Empty() {
		return nil
	}
	return p.file.Reset(writes)
}

// close lets others have it, and reports whether there is something in it.
func (p *spooled) close() (kept bool) {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	kept = !p.file.Empty()
	if err := p.file.Close(); err != nil {
		p.log.Warn("the journal was not closed well", "error", err)
	}
	return kept
}
