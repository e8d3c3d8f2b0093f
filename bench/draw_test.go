package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// The drawing is well-formed, has a line and a name for each store in both
// diagrams, and stays within its edges.
func TestDrawing(t *testing.T) {
	points := []growthPoint{
		{"a & b", 1_000, 0.04, 0.1, 1 << 20}, {"a & b", 1_000_000, 0.1, 0.2, 1 << 30},
		{"c", 1_000, 40, 50, 20 << 20}, {"c", 1_000_000, 50, 60, 0},
	}
	lines, circles, text := 0, 0, ""
	d := xml.NewDecoder(strings.NewReader(drawGrowth(points)))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.CharData:
			text += string(token) + "\n"
		case xml.StartElement:
			switch token.Name.Local {
			case "polyline":
				lines++
			case "circle":
				circles++
			}
			for _, a := range token.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") || strings.Contains(a.Value, "-") && a.Name.Local != "font-family" && a.Name.Local != "text-anchor" {
					t.Errorf("%s has %s=%q", token.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
	if lines != 2*2 || circles != 2*len(points) {
		t.Errorf("%d lines, %d points", lines, circles)
	}
	for _, want := range []string{"a & b", "c", "1000000", "0.01"} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%q is nowhere", want)
		}
	}
}
