package main

import (
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/cache/storetest"
	"github.com/harpia-go/harpia/shared"
)

func (a *app) pluginsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugins",
		Short: "List, describe, test, trust and watch store plugins",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.pluginsListCommand(), a.pluginsDescribeCommand(), a.pluginsTestCommand(), a.pluginsTrustCommand(), a.pluginsStatusCommand())
	return cmd
}

func (a *app) pluginsListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the plugins that can be chosen by name, and whether they are trusted",
		Long: `List the plugins that can be chosen by name, and whether they may run: trusted,
not trusted, changed since they were trusted, or insecure by --insecure-plugin.
None is started.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := a.options(slog.LevelWarn)
			if err != nil {
				return err
			}
			dirs := o.Dirs
			if dirs == nil {
				if dirs, err = pluginstore.DefaultDirs(); err != nil {
					return err
				}
			}
			found, err := pluginstore.List(dirs)
			if err != nil {
				return err
			}
			out := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			for _, f := range found {
				status, why := trust(f, o)
				if a.json {
					listed := map[string]string{"name": f.Name, "path": f.Path, "trust": status}
					if why != nil {
						listed["error"] = message(why)
					}
					err = a.print("", listed)
				} else {
					_, err = fmt.Fprintf(out, "%s\t%s\t%s\n", f.Name, status, printable(f.Path))
				}
				if err != nil {
					return output(err)
				}
				if why != nil && !a.json {
					fmt.Fprintln(a.stderr, "host:", message(why))
				}
			}
			if len(found) == 0 {
				fmt.Fprintf(a.stderr, "host: no plugins in %s\n", strings.Join(dirs, ", "))
			}
			return output(out.Flush())
		},
	}
}

// setting is how --json shows a setting of a plugin.
type setting struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Default  string   `json:"default,omitempty"`
	Help     string   `json:"help"`
	Required bool     `json:"required,omitempty"`
	Secret   bool     `json:"secret,omitempty"`
	Choices  []string `json:"choices,omitempty"`
	Repeated bool     `json:"repeated,omitempty"`
}

// description is how --json shows a plugin.
type description struct {
	Name         string    `json:"name"`
	Version      string    `json:"version"`
	Exclusive    bool      `json:"exclusive"`
	Durable      bool      `json:"durable"`
	Capabilities []string  `json:"capabilities"`
	MaxValue     int       `json:"max_value"`
	Settings     []setting `json:"settings"`
}

func (a *app) pluginsDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "describe NAME",
		Short: "Say what a plugin is, what it can do and which settings it takes",
		Long:  "Say what a plugin is, what it can do and which settings it takes. NAME may be any store URL; the store is not opened.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := a.options(slog.LevelWarn)
			if err != nil {
				return err
			}
			info, err := pluginstore.Describe(cmd.Context(), args[0], o)
			if err != nil {
				return err
			}
			if a.json {
				return a.print("", describe(info))
			}
			return output(a.writeDescription(describe(info)))
		},
	}
}

func describe(info shared.Info) description {
	d := description{
		Name: info.Name, Version: info.Version, Exclusive: info.Exclusive, Durable: info.Durable,
		Capabilities: info.Capabilities.Names(), MaxValue: info.Limits.MaxValue,
	}
	for _, s := range info.Settings {
		d.Settings = append(d.Settings, setting{
			Name: s.Name, Type: s.Type.String(), Default: s.Default, Help: s.Help,
			Required: s.Required, Secret: s.Secret, Choices: s.Choices, Repeated: s.Repeated,
		})
	}
	return d
}

func (a *app) writeDescription(d description) error {
	data := "shared: others may change its data"
	if d.Exclusive {
		data = "exclusive: only this host changes its data"
	}
	if d.Durable {
		data += "; durable: what was acknowledged survives the plugin's death"
	}
	out := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "%s\t%s\n", printable(d.Name), printable(d.Version))
	fmt.Fprintf(out, "data\t%s\n", data)
	fmt.Fprintf(out, "can\tget set delete %s\n", strings.Join(d.Capabilities, " "))
	fmt.Fprintf(out, "largest value\t%d bytes\n", d.MaxValue)
	if len(d.Settings) > 0 {
		fmt.Fprintf(out, "settings\n")
	}
	for _, s := range d.Settings {
		kind := s.Type
		if len(s.Choices) > 0 {
			kind = strings.Join(s.Choices, "|")
		}
		notes := ""
		if s.Required {
			notes += ", required"
		}
		if s.Secret {
			notes += ", secret"
		}
		if s.Repeated {
			notes += ", repeatable"
		}
		if s.Default != "" {
			notes += ", default " + s.Default
		}
		fmt.Fprintf(out, "  %s\t%s%s\t%s\n", printable(s.Name), printable(kind), printable(notes), printable(s.Help))
	}
	return out.Flush()
}

func (a *app) pluginsTestCommand() *cobra.Command {
	var large bool
	cmd := &cobra.Command{
		Use:   "test [URL]",
		Short: "Run the conformance suite on a store",
		Long: `Run the conformance suite on the store that the URL names, or else --store. It uses keys with a
random prefix and removes them, so the store may be one in use; a bounded store
may evict other entries. The last line counts; exit code 3 if a case failed.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				a.storeURL = args[0]
			}
			if _, err := a.open(cmd.Context()); err != nil {
				return err
			}
			var broken error
			var more []storetest.Case
			if large {
				more = storetest.LargeCases()
			}
			passed, failed := storetest.Check(cmd.Context(), a.store, func(r storetest.Result) {
				if err := a.reportCase(r); err != nil && broken == nil {
					broken = err
				}
			}, more...)
			if broken != nil {
				return broken
			}
			err := a.print(fmt.Sprintf("%d passed, %d failed", passed, failed), map[string]int{"passed": passed, "failed": failed})
			if err == nil && failed > 0 {
				err = fmt.Errorf("%s does not keep the contract", a.store.Info().Name)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&large, "large", false, "store values as long as the store's limit, of 256 MiB at most, as well")
	return cmd
}

func (a *app) reportCase(r storetest.Result) error {
	line, failure := "ok    "+r.Name, ""
	if r.Err != nil {
		failure = r.Err.Error()
		line = fmt.Sprintf("FAIL  %s: %s", r.Name, r.Clause)
		for part := range strings.Lines(failure) {
			line += "\n      " + harmless(strings.TrimRight(part, "\n"))
		}
	}
	return a.print(line, struct {
		Name    string  `json:"name"`
		Clause  string  `json:"clause"`
		Passed  bool    `json:"passed"`
		Error   string  `json:"error,omitempty"`
		Seconds float64 `json:"seconds"`
	}{r.Name, r.Clause, r.Err == nil, failure, r.Elapsed.Truncate(time.Microsecond).Seconds()})
}
