package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
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

// writeTable prints the rows, group by group; beside each figure stands its
// ratio to the first subject's of the same group and callers.
func writeTable(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	var last, base row
	for _, r := range rows {
		if r.Group != last.Group || r.Variant != last.Variant {
			title := strings.TrimSpace(r.Group + " " + r.Variant)
			fmt.Fprintf(t, "\t\t\t\t\t\t\t\t\t\t\n%s\tcallers\top/s\t×\tp50 µs\t×\tp99 µs\t×\tallocs\t%s\t×\t\n", title, r.Unit)
		}
		if r.Group != last.Group || r.Variant != last.Variant || r.Callers != last.Callers {
			base = r
		}
		last = r
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.Subject, r.Callers,
			figure(r.OpsPerS), ratio(r.OpsPerS, base.OpsPerS),
			figure(r.P50), ratio(r.P50, base.P50),
			figure(r.P99), ratio(r.P99, base.P99),
			number(r.Allocs), valueText(r), ratio(r.Value, base.Value))
	}
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
