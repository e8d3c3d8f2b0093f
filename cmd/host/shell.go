package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxShellLine bounds a line of the piped shell: a value as text and some.
const maxShellLine = 64 << 20

// byteOrderMark is what some editors put before the first line.
const byteOrderMark = "\ufeff"

func (a *app) shellCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "shell",
		Short: "Read commands, one a line, and keep one store open",
		Long: `Read commands from standard input, one a line: get, set, delete, keys, incr,
clear, help, exit. Words may be quoted: 'as it is', or "with escapes \n \x00".
At a terminal there are history and completion; from a pipe a command that
fails is reported and the next one runs, and the exit code is the highest.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := a.open(cmd.Context()); err != nil {
				return err
			}
			a.inShell = true
			if in, ok := a.stdin.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
				return a.interactive(cmd.Context(), in)
			}
			return a.piped(cmd.Context())
		},
	}
}

// errExit ends the shell.
var errExit = errors.New("exit")

// execute runs one line.
func (a *app) execute(ctx context.Context, line string) error {
	words, err := splitWords(line)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return nil
	}
	cmd := &cobra.Command{
		Use:               "harpia",
		Args:              cobra.NoArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	cmd.AddCommand(a.dataCommands()...)
	cmd.AddCommand(&cobra.Command{
		Use: "exit", Aliases: []string{"quit"}, Short: "End the shell", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return errExit },
	})
	a.prepare(cmd)
	cmd.SetArgs(numbersAreWords(cmd, words))
	return cmd.ExecuteContext(ctx)
}

// piped runs the lines of standard input.
func (a *app) piped(ctx context.Context) error {
	lines := bufio.NewScanner(input{ctx, a.stdin})
	lines.Buffer(nil, maxShellLine)
	var worst error
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if n == 1 {
			line = strings.TrimPrefix(line, byteOrderMark)
		}
		err := a.execute(ctx, line)
		if errors.Is(err, errExit) {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fmt.Fprintf(a.stderr, "host: line %d: %s\n", n, message(err))
		}
		if exitCode(err) > exitCode(worst) {
			worst = err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: read standard input: %w", errUsage, errors.Join(err, worst))
	}
	if worst != nil {
		return fmt.Errorf("at least one command failed: %w", worst)
	}
	return nil
}

// interactive reads lines from a terminal. While it runs, results are written
// through the terminal, which is in raw mode.
func (a *app) interactive(ctx context.Context, in *os.File) error {
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("%w: the terminal cannot be set up: %w", errUsage, err)
	}
	defer func() { _ = term.Restore(int(in.Fd()), state) }()
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{input{ctx, in}, a.stdout}, "harpia> ")
	t.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		done, ok := a.complete(ctx, line[:pos])
		return done + line[pos:], len(done), ok
	}
	stdout, stderr := a.stdout, a.stderr
	a.stdout, a.stderr = t, t
	defer func() { a.stdout, a.stderr = stdout, stderr }()
	fmt.Fprintf(t, "%s; help lists the commands, Ctrl-D ends\n", a.store.URL())
	for {
		// It may have been resized since the last line; 0 is unknown.
		if width, height, err := term.GetSize(int(in.Fd())); err == nil && width > 0 {
			_ = t.SetSize(width, height)
		}
		line, err := t.ReadLine()
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		}
		if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
			return fmt.Errorf("%w: read the terminal: %w", errUsage, err)
		}
		err = a.execute(ctx, line)
		if errors.Is(err, errExit) {
			return nil
		}
		if err != nil {
			fmt.Fprintln(t, message(err))
		}
	}
}
