package main

import (
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/harpia-go/harpia/cache"
)

// entry is how --json shows a key: text where it is text, else base64.
type entry struct {
	Key     string     `json:"key,omitempty"`
	Key64   []byte     `json:"key_base64,omitempty"`
	Value   *string    `json:"value,omitempty"`
	Value64 []byte     `json:"value_base64,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
}

func newEntry(key string, expires time.Time) entry {
	e := entry{Key: key}
	if !utf8.ValidString(key) {
		e.Key, e.Key64 = "", []byte(key)
	}
	if expires = cache.ExpiryAt(cache.ExpiryMillis(expires)); !expires.IsZero() {
		utc := expires.UTC()
		e.Expires = &utc
	}
	return e
}

func (a *app) getCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "get KEY",
		Short: "Print the value under a key, as it is",
		Long:  "Print the value under a key, as it is and nothing else. If the key holds nothing: exit code 1.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			value, expires, ok, err := c.GetWithExpiry(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if !ok {
				return errNotFound
			}
			if a.json {
				e := newEntry(args[0], expires)
				if utf8.Valid(value) {
					text := string(value)
					e.Value = &text
				} else {
					e.Value64 = value
				}
				return a.print("", e)
			}
			if a.inShell {
				value = append(value, '\n')
			}
			_, err = a.stdout.Write(value)
			return output(err)
		},
	}
}
