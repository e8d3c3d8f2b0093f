package main

import (
	"fmt"
	"io"
)

// report says what was read of a store, and what could not be.
type report struct {
	Dir     string `json:"dir"`
	NewDir  string `json:"new_dir,omitempty"` // of the copy; empty: there is none
	Entries int    `json:"entries"`
	Bytes   int64  `json:"bytes"` // of keys and values
	Expired int    `json:"expired"`
	Tables  int    `json:"tables"`
	Logs    int    `json:"logs"`
	Lost    []loss `json:"lost,omitempty"`
}

// loss is a part of a file that cannot be read.
type loss struct {
	File string `json:"file"`
	From int64  `json:"from"`
	To   int64  `json:"to"` // 0: the file's end
	What string `json:"what"`
}

func (r *report) lost(file string, from, to int64, format string, args ...any) {
	r.Lost = append(r.Lost, loss{File: file, From: from, To: to, What: fmt.Sprintf(format, args...)})
}

// write writes the report for people.
func (r *report) write(w io.Writer) error {
	done := "readable: "
	if r.NewDir != "" {
		done = "copied to " + r.NewDir + ": "
	}
	text := fmt.Sprintf("%s%d entries (%s), of %d tables and %d logs in %s; %d more have expired\n",
		done, r.Entries, mib(r.Bytes), r.Tables, r.Logs, r.Dir, r.Expired)
	for _, l := range r.Lost {
		where := ""
		switch {
		case l.To > 0:
			where = fmt.Sprintf(", bytes %d to %d", l.From, l.To)
		case l.From > 0:
			where = fmt.Sprintf(", from byte %d on", l.From)
		}
		text += fmt.Sprintf("unreadable: %s%s: %s\n", l.File, where, l.What)
	}
	if len(r.Lost) == 0 {
		text += "nothing is unreadable\n"
	} else {
		text += "a key that was written in an unreadable part is missing or has an older value, and one that was removed there may be back\n"
	}
	_, err := io.WriteString(w, text)
	return err
}
