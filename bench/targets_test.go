package main

import (
	"slices"
	"strings"
	"testing"
)

func TestTargets(t *testing.T) {
	rows := []row{
		{Group: "other", Subject: "harpia", Callers: 8, OpsPerS: 1},
		{Group: "g", Variant: "other", Subject: "harpia", Callers: 8, OpsPerS: 1},
		{Group: "g", Subject: "harpia", Callers: 1, OpsPerS: 1},
		{Group: "g", Subject: "harpia", Callers: 8, OpsPerS: 200, P50: 30, Value: 70},
		{Group: "g", Subject: "a", Callers: 8, OpsPerS: 100, P50: 10, Value: 20},
		{Group: "g", Subject: "b", Callers: 8, OpsPerS: 160, P50: 20, Value: 30},
	}
	num := func(x float64) *float64 { return &x }
	both := []string{"a", "b"}
	for name, test := range map[string]struct {
		target target
		figure float64
		met    bool
	}{
		"the best of several, met":       {target{Metric: "ops_per_s", Against: both, AtLeast: num(1.25)}, 1.25, true},
		"the best of several, missed":    {target{Metric: "ops_per_s", Against: both, AtLeast: num(1.26)}, 1.25, false},
		"the quickest of several":        {target{Metric: "p50_us", Against: both, AtMost: num(3)}, 3, true},
		"the quickest of several missed": {target{Metric: "p50_us", Against: both, AtMost: num(2.9)}, 3, false},
		"time from a rate":               {target{Metric: "us", Against: []string{"a"}, AtMost: num(0.5)}, 0.5, true},
		"difference":                     {target{Metric: "value", Compare: "difference", Against: []string{"a"}, AtMost: num(49)}, 50, false},
		"alone":                          {target{Metric: "value", Compare: "alone", AtMost: num(70)}, 70, true},
	} {
		t.Run(name, func(t *testing.T) {
			test.target.Group, test.target.Subject, test.target.Callers = "g", "harpia", 8
			if err := test.target.validate(); err != nil {
				t.Fatal(err)
			}
			figure, _, met, err := test.target.measured(rows)
			if err != nil || figure != test.figure || met != test.met {
				t.Errorf("%v, met: %v, %v; want %v, %v", figure, met, err, test.figure, test.met)
			}
		})
	}
	t.Run("not measured", func(t *testing.T) {
		var out strings.Builder
		missing := target{Group: "g", Subject: "harpia", Against: []string{"c"}, Callers: 8, Metric: "ops_per_s", AtLeast: num(1)}
		if err := check(&out, []target{missing}, rows); err == nil || !strings.Contains(out.String(), "MISSED") {
			t.Errorf("%v\n%s", err, &out)
		}
	})
}

// The committed targets name groups that there are.
func TestCommittedTargets(t *testing.T) {
	targets, err := readTargets("targets.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range targets {
		i := slices.IndexFunc(groups(), func(g group) bool { return needed([]target{want}, g) })
		if i < 0 {
			t.Errorf("there is no group %q %q", want.Group, want.Variant)
			continue
		}
		g := groups()[i]
		if want.Callers != 0 && !slices.Contains(g.callers, want.Callers) || want.Callers == 0 && len(g.callers) != 1 {
			t.Errorf("%s has callers %v, not %d", g.title(), g.callers, want.Callers)
		}
	}
}
