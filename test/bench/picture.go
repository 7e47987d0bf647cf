package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The picture's size and the room around the lines, in pixels.
const (
	width, height             = 720, 400
	left, right, above, below = 70, 190, 50, 50
)

var colours = map[string]string{theirs.name: "#b45309", ours.name: "#0f766e", oursUnsynced.name: "#6366f1"}

// svg draws the picture with both axes logarithmic.
func (p picture) svg() string {
	var xs, ys []float64
	for _, l := range p.lines {
		xs, ys = append(xs, l.x...), append(ys, l.y...)
	}
	x, y := newAxis(xs, left, width-right), newAxis(ys, height-below, above)
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&s, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	fmt.Fprintf(&s, `<text x="%d" y="24" font-size="15">%s</text>`+"\n", left, p.title)
	fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-12, p.x)
	for _, v := range y.ticks() {
		fmt.Fprintf(&s, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`+"\n",
			left, width-right, y.at(v), y.at(v), left-6, y.at(v)+4, v)
	}
	slices.Sort(xs)
	for _, v := range slices.Compact(xs) {
		fmt.Fprintf(&s, `<text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n", x.at(v), height-below+18, v)
	}
	for _, l := range p.lines {
		p.draw(&s, l, x, y)
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func (p picture) draw(s *strings.Builder, l line, x, y axis) {
	colour := colours[l.variant]
	var path strings.Builder
	for i := range l.x {
		fmt.Fprintf(&path, "%.1f,%.1f ", x.at(l.x[i]), y.at(l.y[i]))
		fmt.Fprintf(s, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x.at(l.x[i]), y.at(l.y[i]), colour)
	}
	end := len(l.x) - 1
	fmt.Fprintf(s, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.TrimSpace(path.String()), colour)
	fmt.Fprintf(s, `<text x="%.1f" y="%.1f" fill="%s">%s %s</text>`+"\n", x.at(l.x[end])+8, y.at(l.y[end])+4, colour, l.variant, number(l.y[end]))
}

// axis maps values to pixels, logarithmically, from one power of ten to another.
type axis struct{ low, high, from, to float64 }

func newAxis(values []float64, from, to float64) axis {
	return axis{math.Floor(math.Log10(slices.Min(values))), math.Max(math.Ceil(math.Log10(slices.Max(values))), math.Floor(math.Log10(slices.Min(values)))+1), from, to}
}

func (a axis) at(v float64) float64 {
	return a.from + (math.Log10(v)-a.low)/(a.high-a.low)*(a.to-a.from)
}

func (a axis) ticks() (out []float64) {
	for e := a.low; e <= a.high; e++ {
		out = append(out, math.Pow(10, e))
	}
	return out
}
