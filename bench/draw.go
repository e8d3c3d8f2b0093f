package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
)

// drawGrowth draws two diagrams side by side, both axes logarithmic: the time
// that a Get takes, and the memory, by the number of keys.
func drawGrowth(points []growthPoint) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", 2*panelWidth, panelHeight+30)
	fmt.Fprintln(&b, `<rect width="100%" height="100%" fill="white"/>`)
	drawPanel(&b, 0, "µs a Get, all callers together", points, func(p growthPoint) float64 { return p.get })
	drawPanel(&b, panelWidth, "memory, MiB", points, func(p growthPoint) float64 { return p.bytes / (1 << 20) })
	x := marginLeft
	for i, name := range subjectsOf(points) {
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			x, panelHeight+8, colour(i), x+17, panelHeight+18, html.EscapeString(name))
		x += 150
	}
	fmt.Fprintln(&b, "</svg>")
	return b.String()
}

const (
	panelWidth, panelHeight = 420, 300
	marginLeft, marginTop   = 60, 40
	plotWidth, plotHeight   = panelWidth - marginLeft - 40, panelHeight - marginTop - 40
)

func colour(i int) string {
	colours := []string{"#1b6ca8", "#d1495b", "#66a182", "#8d6a9f"}
	return colours[i%len(colours)]
}

func subjectsOf(points []growthPoint) []string {
	var names []string
	for _, p := range points {
		if !slices.Contains(names, p.subject) {
			names = append(names, p.subject)
		}
	}
	return names
}

// drawPanel draws one diagram whose left edge is at left.
func drawPanel(b *strings.Builder, left int, title string, points []growthPoint, of func(growthPoint) float64) {
	xs := logScale(points, func(p growthPoint) float64 { return float64(p.keys) })
	ys := logScale(points, of)
	at := func(p growthPoint) (x, y float64) {
		return float64(left+marginLeft) + xs.at(float64(p.keys))*plotWidth, marginTop + (1-ys.at(of(p)))*plotHeight
	}
	fmt.Fprintf(b, `<text x="%d" y="24" font-weight="bold">%s</text>`+"\n", left+marginLeft, html.EscapeString(title))
	for _, v := range ys.decades() {
		y := marginTop + (1-ys.at(v))*plotHeight
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left+marginLeft, left+marginLeft+plotWidth, y, y, left+marginLeft-6, y+4, axisLabel(v))
	}
	for _, v := range xs.decades() {
		x := float64(left+marginLeft) + xs.at(v)*plotWidth
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			x, x, marginTop, marginTop+plotHeight, x, marginTop+plotHeight+18, axisLabel(v))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">keys</text>`+"\n", left+marginLeft+plotWidth/2, marginTop+plotHeight+36)
	for i, name := range subjectsOf(points) {
		var line []string
		for _, p := range points {
			if p.subject == name {
				x, y := at(p)
				line = append(line, fmt.Sprintf("%.1f,%.1f", x, y))
				fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x, y, colour(i))
			}
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(line, " "), colour(i))
	}
}

// scale maps from low to high, both powers of ten, onto 0 to 1.
type scale struct{ low, high float64 }

func logScale(points []growthPoint, of func(growthPoint) float64) scale {
	s := scale{math.Inf(1), math.Inf(-1)}
	for _, p := range points {
		v := math.Log10(max(of(p), 1e-9))
		s.low, s.high = min(s.low, math.Floor(v)), max(s.high, math.Ceil(v))
	}
	if s.low >= s.high {
		s.high = s.low + 1
	}
	return s
}

func (s scale) at(v float64) float64 { return (math.Log10(max(v, 1e-9)) - s.low) / (s.high - s.low) }

func (s scale) decades() []float64 {
	var out []float64
	for e := s.low; e <= s.high; e++ {
		out = append(out, math.Pow10(int(e)))
	}
	return out
}

func axisLabel(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
