package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var negative = regexp.MustCompile(`^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$`)

// numbersAreWords lets negative numbers be arguments of a command: cobra would take
// them for flags, unless they come after a "--". So flags go first and all words
// after it.
func numbersAreWords(root *cobra.Command, args []string) []string {
	end := slices.Index(args, "--")
	if end < 0 {
		end = len(args)
	}
	takes := takesValue(root)
	var flags, words []string
	numbers := false
	for i := 0; i < end; i++ {
		arg := args[i]
		switch {
		case negative.MatchString(arg):
			numbers = true
			words = append(words, arg)
		case len(arg) > 1 && strings.HasPrefix(arg, "-"):
			flags = append(flags, arg)
			if takes(arg) && i+1 < end {
				i++
				flags = append(flags, args[i])
			}
		default:
			words = append(words, arg)
		}
	}
	if !numbers {
		return args
	}
	cmd, rest, err := root.Find(words)
	if err != nil {
		return args
	}
	var out []string
	for ; cmd.HasParent(); cmd = cmd.Parent() {
		out = append([]string{cmd.Name()}, out...)
	}
	out = append(append(out, flags...), "--")
	if end < len(args) {
		rest = append(slices.Clone(rest), args[end+1:]...)
	}
	return append(out, rest...)
}

// takesValue tells flags whose value is the next word from others.
func takesValue(root *cobra.Command) func(arg string) bool {
	takes := make(map[string]bool)
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, set := range []*pflag.FlagSet{c.PersistentFlags(), c.Flags()} {
			set.VisitAll(func(f *pflag.Flag) { takes["--"+f.Name] = f.NoOptDefVal == "" })
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return func(arg string) bool { return takes[arg] }
}
