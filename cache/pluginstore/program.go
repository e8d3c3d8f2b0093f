package pluginstore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// maxProgram bounds the size of a program that is copied.
const maxProgram = 1 << 30

// program is a plugin's program as it was when it was opened and found to be
// trusted: a private copy that is hashed as it is written, has no name, and is
// the source of every file that is run. Whatever happens to the original
// meanwhile, what runs is what was hashed.
type program struct {
	path     string // of the original, absolute; the process is shown with it
	name     string // that its pins have
	digest   string // in hexadecimal; empty if insecure
	insecure bool   // run in place

	mu     sync.Mutex // for what follows
	master *os.File
	dir    *privateDir // of the first copy, until that is placed
	first  string
}

// openProgram finds the program that u names and opens it if it is trusted.
func openProgram(u URL, o *Options) (*program, error) {
	sweep(o.Logger)
	path, err := findGuarded(u, o)
	if err != nil {
		return nil, err
	}
	return openProgramAt(path, o)
}

// openProgramAt opens the program at path if it is trusted.
func openProgramAt(path string, o *Options) (*program, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("pluginstore: %s: %w", path, err)
	}
	if isInsecure(path, o) {
		if err := checkProgram(path); err != nil {
			return nil, err
		}
		o.Logger.Warn("the program runs without being checked, whatever is in it", "path", path)
		return &program{path: path, name: programName(path), insecure: true}, nil
	}
	p, err := copyProgram(path)
	if err != nil {
		return nil, err
	}
	if _, err := judge(p.path, p.digest, o); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// programName is the name of a program's pins.
func programName(path string) string {
	return strings.TrimPrefix(strings.TrimSuffix(filepath.Base(path), exeSuffix), shared.BinaryPrefix)
}

// isInsecure reports whether the options exempt the program at path.
func isInsecure(path string, o *Options) bool {
	resolved := resolve(path)
	return slices.ContainsFunc(o.Insecure, func(exempt string) bool { return resolve(exempt) == resolved })
}

// resolve returns where path leads; one that leads nowhere stays.
func resolve(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// openOriginal opens a program's file and checks what it opened.
func openOriginal(path string) (*os.File, error) {
	// A pipe in its place must not hold the host up.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		// checkProgram's words are plainer, if it sees the same.
		if plain := checkProgram(path); plain != nil {
			return nil, plain
		}
		return nil, fmt.Errorf("%w: %w; what cannot be read cannot be checked: chmod u+r %s", ErrNotFound, err, quotePath(path))
	}
	info, err := f.Stat()
	if err == nil {
		err = checkMode(path, info)
	}
	if err == nil && info.Size() > maxProgram {
		err = fmt.Errorf("%w: %s has more than %d MiB, which no plugin should need", ErrNotFound, path, maxProgram>>20)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// copyProgram makes the private copy of the program at path. Nothing of it
// has been run, and nothing says yet that it may be.
func copyProgram(path string) (*program, error) {
	original, err := openOriginal(path)
	if err != nil {
		return nil, err
	}
	defer original.Close()
	p := &program{path: path, name: programName(path)}
	if !pinName.MatchString(p.name) {
		return nil, fmt.Errorf("%w: %q is no name that can be pinned; rename %s to letters, digits and . _ + -", ErrUntrusted, p.name, quotePath(path))
	}
	if p.dir, err = socketDir(); err != nil {
		return nil, err
	}
	if err := p.copyFrom(original); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

func (p *program) copyFrom(original io.Reader) error {
	// If others could swap the directory, they could swap the copy.
	if err := guardedDir(p.dir.path); err != nil {
		return err
	}
	sum := sha256.New()
	var n int64
	p.first = filepath.Join(p.dir.path, p.copyName())
	err := p.write(p.first, func(w io.Writer) (err error) {
		from := &reader{r: io.LimitReader(original, maxProgram+1)}
		n, err = io.CopyBuffer(io.MultiWriter(w, sum), from, make([]byte, 256<<10))
		if from.err != nil {
			return fmt.Errorf("%w: read %s: %w", ErrNotFound, p.path, from.err)
		}
		return err
	})
	if err == nil && n > maxProgram {
		err = fmt.Errorf("%w: %s has grown beyond %d MiB", ErrNotFound, p.path, maxProgram>>20)
	}
	if err != nil {
		return err
	}
	p.digest = hex.EncodeToString(sum.Sum(nil))
	p.master, err = os.Open(p.first)
	return err
}

// reader keeps the error of reading apart from that of writing.
type reader struct {
	r   io.Reader
	err error
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// copyName is what the system shows as the name of the process.
func (p *program) copyName() string { return shared.BinaryPrefix + p.name + exeSuffix }

// write makes a new file that only this user can read and run.
func (p *program) write(file string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500)
	if err == nil {
		err = fill(f)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			_ = os.Remove(file)
		}
	}
	switch {
	case err == nil, errors.Is(err, ErrNotFound):
		return err
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w: there is no room in %s for a copy of %s; make room there, or set TMPDIR to another directory", ErrStart, cache.ErrUnavailable, filepath.Dir(file), p.path)
	}
	return fmt.Errorf("%w: %w: cannot copy %s: %w; set TMPDIR to a directory that you can write to", ErrStart, cache.ErrUnavailable, p.path, err)
}

// place puts a copy that can be run into dir, which is private, and returns
// its path; for an insecure program that of the original.
func (p *program) place(dir string) (string, error) {
	if p.insecure {
		return p.path, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.master == nil {
		return "", fmt.Errorf("pluginstore: start %s: %w", p.path, cache.ErrClosed)
	}
	exe := filepath.Join(dir, p.copyName())
	if err := p.placeFirst(exe); err != nil {
		err = p.write(exe, func(w io.Writer) error {
			// The file's own position, so that the system copies.
			if _, err := p.master.Seek(0, io.SeekStart); err != nil {
				return err
			}
			_, err := io.Copy(w, p.master)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	if err := mayRun(exe); err != nil {
		_ = os.Remove(exe)
		return "", fmt.Errorf("%w: %w: programs may not be run in %s (%w); set TMPDIR to a directory on a file system that is not mounted noexec", ErrStart, cache.ErrUnavailable, filepath.Dir(dir), err)
	}
	return exe, nil
}

// placeFirst moves the copy that was made when the program was opened.
func (p *program) placeFirst(exe string) error {
	if p.first == "" {
		return os.ErrNotExist
	}
	first, dir := p.first, p.dir
	p.first, p.dir = "", nil
	return errors.Join(os.Rename(first, exe), dir.remove())
}

// placed removes the name of what place has put somewhere. It is called after
// the handshake: an interpreter has opened its script by then. A host that is
// killed leaves nothing large lying about.
func (p *program) placed(exe string) {
	if !p.insecure {
		// Where a running program's file cannot be removed, it goes with its
		// directory.
		_ = os.Remove(exe)
	}
}

// Close gives up the copy. Processes that were started run on.
func (p *program) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	if p.master != nil {
		err = p.master.Close()
		p.master = nil
	}
	if p.dir != nil {
		err = errors.Join(err, p.dir.remove())
		p.dir = nil
	}
	return err
}
