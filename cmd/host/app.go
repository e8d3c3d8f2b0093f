package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/server"
	"github.com/harpia-go/harpia/internal/version"
	"github.com/harpia-go/harpia/shared"
)

// app is one run of the program: its streams, its global flags, and the store
// once a command has opened it.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	storeURL     string
	opts         []string
	pluginDirs   []string
	insecure     []string
	reattach     string
	startTimeout time.Duration
	fallback     fallback
	journalDir   string
	logLevel     string
	onChange     func(pluginstore.Status)
	json         bool

	inShell bool
	store   *pluginstore.Store
	cache   *cache.Cache[[]byte]
}

func (a *app) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "host",
		Short: "A cache whose storage is a plugin",
		Long: `A cache whose storage is a plugin.

A store URL chooses the storage, with --store or ` + envStore + `:
  memory                      in this process; gone when it ends
  file:./data?sync=always     the plugin harpia-store-file, its data in ./data
  redis://127.0.0.1:6379      the plugin harpia-store-redis and the server there;
                              also rediss:// (TLS), redis+unix:// and valkey://
  ./my-plugin?setting=value   the program ./my-plugin

While a plugin is down, --fallback says what serves in its place:
  auto     memory, for a store that only this host changes; of any other, calls
           wait for the plugin
  memory   memory, whoever else changes the store; also where the plugin does
           not start
  none     nothing: calls fail
The default is auto for serve. It is none for the other commands: memory that
ends with the command would lose what it took.

A word that begins with "-" and is no number follows a "--": host set -- -x -y

Exit codes: 0 done, 1 not found, 2 wrong usage, 3 the store is unavailable or failed,
4 the value is not what the command needs (incr of what is no counter), 130 interrupted.`,
		Example: `  host --store file:./data set greeting hello --ttl 1h
  host --store file:./data get greeting
  host --store file:./data serve`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Name() != serveName {
				cmd.SetContext(endOnHangup(cmd.Context()))
			}
			return flagsAreGiven(cmd)
		},
	}
	f := cmd.PersistentFlags()
	f.StringVar(&a.storeURL, "store", "", "store `URL` (default "+envStore+", else memory)")
	f.StringArrayVar(&a.opts, "opt", nil, "setting of the store, `KEY=VALUE` or KEY=@FILE (KEY=@@TEXT is the text @TEXT); may be repeated")
	f.StringArrayVar(&a.pluginDirs, "plugin-dir", nil, "`DIR` to search for plugins instead of the defaults; may be repeated")
	f.StringArrayVar(&a.insecure, "insecure-plugin", nil, "run the plugin at `PATH` whether it is trusted or not; may be repeated; one is also the store where none is given")
	f.DurationVar(&a.startTimeout, "start-timeout", pluginstore.DefaultStartTimeout, "how long a plugin may take to start")
	f.StringVar(&a.reattach, "reattach", "", "use the plugin that a person runs with "+shared.EnvDebug+"=1 and that listens at `SOCKET` (default "+shared.EnvReattach+")")
	a.fallback.value = pluginstore.FallbackNone
	f.Var(&a.fallback, "fallback", "what serves while the plugin is down (default none; auto for serve)")
	f.StringVar(&a.journalDir, "journal-dir", "", "`DIR` for the journal of a durable store, which outlives this process, or none (default "+stateDirHelp+")")
	f.StringVar(&a.logLevel, "log-level", "", "debug, info, warn or error (default warn; info for serve)")
	f.BoolVar(&a.json, "json", false, "print results and logs as JSON")
	cmd.AddCommand(a.dataCommands()...)
	cmd.AddCommand(a.shellCommand(), a.serveCommand(), a.pluginsCommand(), a.doctorCommand(), a.versionCommand())
	a.prepare(cmd)
	return cmd
}

// dataCommands are those that read and write; the shell has them too.
func (a *app) dataCommands() []*cobra.Command {
	return []*cobra.Command{
		a.getCommand(), a.setCommand(), a.deleteCommand(),
		a.keysCommand(), a.incrCommand(), a.clearCommand(),
	}
}

// prepare gives every command below cmd the program's streams, and makes what
// cobra finds wrong with the command line a usage error.
func (a *app) prepare(cmd *cobra.Command) {
	cmd.SetIn(a.stdin)
	cmd.SetOut(a.stdout)
	cmd.SetErr(a.stderr)
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(c, err) })
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		check := c.Args
		if check == nil {
			check = cobra.ArbitraryArgs
		}
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage(c, err)
			}
			return nil
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(cmd)
}

// flagsAreGiven refuses flags whose text is empty: that is a variable which is not set,
// and what the default does is not what was asked for. It refuses paths that a shell
// would have expanded, too.
func flagsAreGiven(cmd *cobra.Command) error {
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		texts := []string{f.Value.String()}
		switch many, ok := f.Value.(pflag.SliceValue); {
		case ok:
			texts = many.GetSlice()
		case f.Value.Type() != "string":
			return
		}
		for _, text := range texts {
			switch {
			case text == "":
				err = fmt.Errorf("%w: --%s is empty", errUsage, f.Name)
			case strings.HasPrefix(text, "~/") || text == "~":
				err = fmt.Errorf("%w: --%s: only a shell knows what ~ is: write $HOME%s, or ./%s if it is called so", errUsage, f.Name, text[1:], text)
			}
		}
	})
	return err
}

func usage(c *cobra.Command, err error) error {
	if strings.Contains(err.Error(), "shorthand flag") {
		err = fmt.Errorf("%w; words that begin with \"-\" follow a \"--\"", err)
	}
	return fmt.Errorf("%w: %w (usage: %s)", errUsage, err, c.UseLine())
}

// open opens the store, once, and returns the cache on it.
func (a *app) open(ctx context.Context) (*cache.Cache[[]byte], error) {
	if a.cache != nil {
		return a.cache, nil
	}
	o, err := a.options(slog.LevelWarn)
	if err != nil {
		return nil, err
	}
	if err := a.insecureIsMeant(o); err != nil {
		return nil, err
	}
	if a.store, err = a.openStore(ctx, o); err != nil {
		return nil, err
	}
	a.cache, err = cache.New[[]byte](cache.Options{Store: a.store, Codec: server.Bytes{}})
	return a.cache, err
}

func (a *app) options(level slog.Level) (*pluginstore.Options, error) {
	log, err := a.logger(level)
	if err != nil {
		return nil, err
	}
	settings, err := settings(a.opts)
	if err != nil {
		return nil, err
	}
	if a.startTimeout <= 0 {
		return nil, fmt.Errorf("%w: --start-timeout must be positive", errUsage)
	}
	return &pluginstore.Options{
		Dirs: a.pluginDirs, Settings: settings, Logger: log, StartTimeout: a.startTimeout,
		Insecure: a.insecure, Reattach: a.attachTo(), Fallback: a.fallback.value, OnChange: a.onChange, Journal: a.journal(),
	}, nil
}

// settings reads --opt. Errors never show a value, which may be a secret.
func settings(opts []string) (url.Values, error) {
	values := url.Values{}
	for _, opt := range opts {
		name, value, ok := strings.Cut(opt, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%w: --opt takes KEY=VALUE or KEY=@FILE", errUsage)
		}
		if text, isText := strings.CutPrefix(value, "@@"); isText {
			value = "@" + text
		} else if path, isFile := strings.CutPrefix(value, "@"); isFile {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("%w: --opt %s: %w", errUsage, name, err)
			}
			value = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
		}
		values.Add(name, value)
	}
	return values, nil
}

// logger writes to standard error, from the given level on unless --log-level
// says otherwise.
func (a *app) logger(level slog.Level) (*slog.Logger, error) {
	if a.logLevel != "" {
		if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
			return nil, fmt.Errorf("%w: --log-level must be debug, info, warn or error, not %q", errUsage, a.logLevel)
		}
	}
	o := &slog.HandlerOptions{Level: level}
	if a.json {
		return slog.New(slog.NewJSONHandler(a.stderr, o)), nil
	}
	return slog.New(slog.NewTextHandler(a.stderr, o)), nil
}

// close ends the cache and its plugin.
func (a *app) close() error {
	if a.store == nil {
		return nil
	}
	if a.cache != nil {
		_ = a.cache.Close()
	}
	return a.store.Close()
}

// print writes text, or v with --json.
func (a *app) print(text string, v any) error {
	var err error
	if a.json {
		err = json.NewEncoder(a.stdout).Encode(v)
	} else if text != "" {
		_, err = fmt.Fprintln(a.stdout, text)
	}
	return output(err)
}

// output tells a failure to print from one of the store.
func output(err error) error {
	if err != nil {
		return fmt.Errorf("cannot write the result: %w", err)
	}
	return nil
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.print("host "+version.Number, map[string]string{"version": version.Number})
		},
	}
}
