package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

func (a *app) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what of a store on disk can be read, and save it",
		Long: `Say what of a store on disk can be read, file by file, also where the store is too
damaged to open. With --salvage, what can be read is copied to a new directory, a store
of its own. The store must not be in use, and its directory is not changed.

A key that was written in an unreadable part is missing from the copy or has an older
value.`,
		Example: `  host doctor --store file:./data
  host doctor --store file:./data --salvage ./rescued
  host --store file:./rescued get greeting`,
		Args: cobra.NoArgs,
	}
	newDir := cmd.Flags().String("salvage", "", "copy what can be read to `NEWDIR`, which must be empty or missing")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o, err := a.options(slog.LevelWarn)
		if err != nil {
			return err
		}
		if err := a.insecureIsMeant(o); err != nil {
			return err
		}
		dir, err := storeDir(a.spec(), o)
		if err != nil {
			return err
		}
		args := []string{"salvage"}
		if a.json {
			args = append(args, "-json")
		}
		// A directory may be called like an option.
		if dir, err = filepath.Abs(dir); err != nil {
			return err
		}
		args = append(args, dir)
		if cmd.Flags().Changed("salvage") {
			if *newDir == "" {
				return fmt.Errorf("%w: --salvage is empty: name a directory", errUsage)
			}
			if *newDir, err = filepath.Abs(*newDir); err != nil {
				return err
			}
			args = append(args, *newDir)
		}
		var stdout, stderr bytes.Buffer
		if err := pluginstore.RunProgram(cmd.Context(), a.spec(), o, args, &stdout, &stderr); err != nil {
			return salvageError(err, stderr.String())
		}
		return a.printReport(stdout.Bytes())
	}
	return cmd
}

// storeDir is the directory of the store that the URL names.
func storeDir(spec string, o *pluginstore.Options) (string, error) {
	u, err := pluginstore.ParseURL(spec)
	if err != nil {
		return "", err
	}
	if u.Name != "file" && u.Path == "" {
		return "", fmt.Errorf("%w: %s keeps no files that could be read; name a store such as --store file:DIR", errUsage, u)
	}
	for _, dir := range []string{u.Target, u.Settings.Get("dir"), o.Settings.Get("dir")} {
		if dir != "" {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%w: %s names no directory; as in --store file:DIR", errUsage, u)
}

// salvageError says why the plugin's program failed, in its own words.
func salvageError(err error, said string) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if said = strings.TrimSpace(said); said != "" {
		err = errors.New(said)
	}
	if exit.ExitCode() == exitUsage {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return err
}

func (a *app) printReport(report []byte) error {
	if a.json {
		if !json.Valid(report) {
			return errors.New("the plugin's report is no JSON")
		}
		return a.print("", json.RawMessage(report))
	}
	for line := range strings.Lines(string(report)) {
		if err := a.print(harmless(strings.TrimRight(line, "\n")), nil); err != nil {
			return err
		}
	}
	return nil
}
