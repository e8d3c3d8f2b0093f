package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// row is one subject of one group under so many callers: the medians of its
// rounds.
type row struct {
	Group   string  `json:"group"`
	Variant string  `json:"variant,omitempty"`
	Subject string  `json:"subject"`
	Callers int     `json:"callers"`
	OpsPerS float64 `json:"ops_per_s"`
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
	Allocs  float64 `json:"allocs"`          // an operation, in the process of the callers
	Value   float64 `json:"value,omitempty"` // what the group is about, if it is not speed, in Unit
	Unit    string  `json:"unit,omitempty"`
}

func newRow(g group, subject string, callers int, samples []sample) row {
	of := func(field func(sample) float64) float64 {
		// Four digits are more than a noisy machine can vouch for.
		return significant(median(samples, field), 4)
	}
	r := row{
		Group: g.name, Variant: g.variant, Subject: subject, Callers: callers, Unit: g.unit,
		OpsPerS: of(func(s sample) float64 { return s.opsPerS }),
		P50:     of(func(s sample) float64 { return float64(s.p50) / 1e3 }),
		P99:     of(func(s sample) float64 { return float64(s.p99) / 1e3 }),
		Allocs:  of(func(s sample) float64 { return s.allocs }),
	}
	if g.unit != "" {
		r.Value = of(func(s sample) float64 { return s.value })
	}
	return r
}

func significant(x float64, digits int) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	scale := math.Pow(10, float64(digits)-math.Ceil(math.Log10(math.Abs(x))))
	return math.Round(x*scale) / scale
}

func writeJSON(w io.Writer, rows []row) error {
	if rows == nil {
		rows = []row{}
	}
	out, err := json.MarshalIndent(rows, "", " ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", out)
	return err
}

// writeTable prints the rows in Markdown, group by group; beside each figure
// stands its ratio to the first subject's of the same group and callers.
func writeTable(w io.Writer, rows []row) error {
	sameGroup := func(a, b row) bool { return a.Group == b.Group && a.Variant == b.Variant }
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && sameGroup(rows[n], rows[0]) {
			n++
		}
		if err := writeGroup(w, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func writeGroup(w io.Writer, rows []row) error {
	base := rows[0]
	lines := [][]string{
		{strings.TrimSpace(base.Group + " " + base.Variant), "callers", "op/s", "×", "p50 µs", "×", "p99 µs", "×", "allocs", base.Unit, "×"},
		{"---", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:"},
	}
	for _, r := range rows {
		if r.Callers != base.Callers {
			base = r
		}
		lines = append(lines, []string{r.Subject, strconv.Itoa(r.Callers),
			figure(r.OpsPerS), ratio(r.OpsPerS, base.OpsPerS),
			figure(r.P50), ratio(r.P50, base.P50),
			figure(r.P99), ratio(r.P99, base.P99),
			number(r.Allocs), valueText(r), ratio(r.Value, base.Value)})
	}
	return writeMarkdown(w, lines)
}

// writeMarkdown prints a table in columns and an empty line.
func writeMarkdown(w io.Writer, lines [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	for _, cells := range lines {
		fmt.Fprintf(t, "| %s\t|\n", strings.Join(cells, "\t| "))
	}
	fmt.Fprintln(t)
	return t.Flush()
}

// figure leaves a column empty that a group does not fill.
func figure(x float64) string {
	if x == 0 {
		return ""
	}
	return number(x)
}

func valueText(r row) string {
	if r.Unit == "" {
		return ""
	}
	return number(r.Value)
}

func number(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

func ratio(x, base float64) string {
	if x == 0 || base == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", x/base)
}
