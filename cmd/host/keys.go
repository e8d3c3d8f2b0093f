package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

func (a *app) keysCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keys [PREFIX]",
		Short: "List the keys, or those that begin with PREFIX",
		Long: `List the keys, or those that begin with PREFIX, one a line and in any order.
A key with unprintable characters is quoted as Go quotes strings.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "" {
				return fmt.Errorf("%w: PREFIX is empty; leave it out to list all keys", errUsage)
			}
			c, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			out := bufio.NewWriter(a.stdout)
			lines := json.NewEncoder(out)
			for key, err := range c.Keys(cmd.Context(), strings.Join(args, "")) {
				if err != nil {
					_ = out.Flush()
					return err
				}
				if a.json {
					err = lines.Encode(newEntry(key, time.Time{}))
				} else {
					_, err = out.WriteString(printable(key) + "\n")
				}
				if err != nil {
					return output(err)
				}
			}
			return output(out.Flush())
		},
	}
}

// printable quotes a key that could be taken for another or play tricks on a
// terminal.
func printable(key string) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	if !utf8.ValidString(key) || strings.ContainsFunc(key, odd) || strings.HasPrefix(key, `"`) {
		return strconv.Quote(key)
	}
	return key
}
