package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
)

// target is a promise about figures of one run: that the subject's metric,
// divided by the best of those against, is at least, or at most, a number.
type target struct {
	Group   string   `json:"group"`
	Variant string   `json:"variant,omitempty"`
	Subject string   `json:"subject"`
	Against []string `json:"against,omitempty"`
	Callers int      `json:"callers,omitempty"` // 0: the group has but one number of them
	// Metric is ops_per_s, p50_us, p99_us, value, or us: the time that an
	// operation takes at this rate, which is 1e6 / ops_per_s.
	Metric string `json:"metric"`
	// Compare is "ratio", also when it is empty, "difference" or "alone": the
	// figure itself.
	Compare string   `json:"compare,omitempty"`
	AtLeast *float64 `json:"at_least,omitempty"`
	AtMost  *float64 `json:"at_most,omitempty"`
}

func readTargets(path string) ([]target, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var targets []target
	if err := json.Unmarshal(text, &targets); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i, t := range targets {
		if err := t.validate(); err != nil {
			return nil, fmt.Errorf("%s: target %d, %s: %w", path, i+1, t.Group, err)
		}
	}
	return targets, nil
}

func (t target) validate() error {
	switch {
	case (t.AtLeast == nil) == (t.AtMost == nil):
		return fmt.Errorf("give one of at_least and at_most")
	case !slices.Contains([]string{"", "ratio", "difference", "alone"}, t.Compare):
		return fmt.Errorf("compare is %q", t.Compare)
	case (t.Compare == "alone") != (len(t.Against) == 0):
		return fmt.Errorf("compare %q does not go with against %q", t.Compare, t.Against)
	case !slices.Contains([]string{"ops_per_s", "us", "p50_us", "p99_us", "value"}, t.Metric):
		return fmt.Errorf("metric is %q", t.Metric)
	}
	return nil
}

func needed(targets []target, g group) bool {
	return slices.ContainsFunc(targets, func(t target) bool { return t.Group == g.name && t.Variant == g.variant })
}

// of is the target's metric of a subject.
func (t target) of(rows []row, subject string) (float64, error) {
	for _, r := range rows {
		if r.Group != t.Group || r.Variant != t.Variant || r.Subject != subject || t.Callers != 0 && r.Callers != t.Callers {
			continue
		}
		switch t.Metric {
		case "ops_per_s":
			return r.OpsPerS, nil
		case "us":
			return 1e6 / r.OpsPerS, nil
		case "p50_us":
			return r.P50, nil
		case "p99_us":
			return r.P99, nil
		}
		return r.Value, nil
	}
	return 0, fmt.Errorf("%s %s: %q was not measured", t.Group, t.Variant, subject)
}

// measured is what the target is about, and whether it is met.
func (t target) measured(rows []row) (figure float64, against string, met bool, err error) {
	own, err := t.of(rows, t.Subject)
	if err != nil {
		return 0, "", false, err
	}
	figure = own
	var best float64
	for _, name := range t.Against {
		other, err := t.of(rows, name)
		if err != nil {
			return 0, "", false, err
		}
		if against == "" || t.AtLeast != nil && other > best || t.AtMost != nil && other < best {
			best, against = other, name
		}
	}
	switch t.Compare {
	case "difference":
		figure = own - best
	case "alone":
	default:
		figure = own / best
	}
	return figure, against, t.AtLeast != nil && figure >= *t.AtLeast || t.AtMost != nil && figure <= *t.AtMost, nil
}

// check prints each target beside what was measured, in Markdown, and fails if
// one is missed.
func check(w io.Writer, targets []target, rows []row) error {
	lines := [][]string{
		{"", "group", "callers", "metric", "of", "against", "measured", "target"},
		{"---", "---", "---:", "---", "---", "---", "---:", "---"},
	}
	missed := 0
	for _, t := range targets {
		figure, against, met, err := t.measured(rows)
		verdict, measured, callers := "ok", fmt.Sprintf("%.3g", figure), ""
		if !met {
			verdict = "MISSED"
			missed++
		}
		if err != nil {
			measured = err.Error()
		}
		if t.Callers != 0 {
			callers = strconv.Itoa(t.Callers)
		}
		lines = append(lines, []string{verdict, group{name: t.Group, variant: t.Variant}.title(), callers,
			t.metric(), t.Subject, against, measured, t.limit()})
	}
	if err := writeMarkdown(w, lines); err != nil {
		return err
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d targets are missed", missed, len(targets))
	}
	return nil
}

func (t target) limit() string {
	if t.AtLeast != nil {
		return fmt.Sprintf("at least %g", *t.AtLeast)
	}
	return fmt.Sprintf("at most %g", *t.AtMost)
}

func (t target) metric() string {
	switch t.Compare {
	case "difference":
		return t.Metric + ", difference"
	case "alone":
		return t.Metric
	}
	return t.Metric + ", ratio"
}
