package main

import "fmt"

// curve is a picture: how a figure grows with a quantity.
type curve struct {
	name, title string
	x           string // label of the quantity
	figure      string
	points      []float64
	row         func(b *bench, name string, x float64) row
}

var allCurves = []curve{
	{
		name: "curve partitions", title: "Produce to more partitions: broker CPU seconds a GB", x: "partitions", figure: cpuPerGB,
		points: []float64{1, 10, 100, 1000, 10_000},
		row: func(b *bench, name string, x float64) row {
			return b.produceRow(name, "keyed, linger 5 ms", func(w *work) {
				keyed(int32(x))(w)
				w.Records /= 3
			})
		},
	},
	{
		name: "curve connections", title: "Idle connections: memory of the broker in MB", x: "connections", figure: idleRSS,
		points: []float64{1, 10, 100, 1000, 10_000},
		row: func(b *bench, name string, x float64) row {
			r := b.connectionsRow(int(x)/2, int(x))
			r.name = name
			return r
		},
	},
	{
		name: "curve size", title: "Produce larger records: broker CPU seconds a GB", x: "bytes of a record", figure: cpuPerGB,
		points: []float64{64, 256, 1 << 10, 8 << 10, 64 << 10, 900 << 10},
		row: func(b *bench, name string, x float64) row {
			return b.produceRow(name, "6 partitions", func(w *work) {
				w.Partitions, w.Size, w.Records = 6, int(x), int64(min(float64(w.Records)*400/x, float64(w.Records)*3))
			})
		},
	},
	{
		name: "curve kept", title: "Keep more: milliseconds from a kill -9 to the first acknowledged record", x: "GB kept in 10 partitions", figure: toFirstAck,
		points: []float64{1, 5, 20, 50},
		row: func(b *bench, name string, x float64) row {
			r := b.recoveryRow(10, int64(x*1e6*b.scale))
			r.name, r.variants = name, everybody[:2]
			return r
		},
	},
}

// curves are the rows behind the pictures.
func (b *bench) curves() (rows []row) {
	for _, c := range allCurves {
		for _, x := range c.points {
			rows = append(rows, c.row(b, c.rowName(x), x))
		}
	}
	return rows
}

func (c curve) rowName(x float64) string { return fmt.Sprintf("%s %g", c.name, x) }

// picture is a curve with what was measured: a line a variant.
type picture struct {
	curve
	lines []line
}

type line struct {
	variant string
	x, y    []float64
}

// pictures are the curves of which something was measured.
func (r *report) pictures() (out []picture) {
	for _, c := range allCurves {
		p := picture{curve: c}
		for _, v := range everybody {
			l := line{variant: v.name}
			for _, x := range c.points {
				if s := r.of(c.rowName(x), v.name, c.figure); s.Rounds > 0 {
					l.x, l.y = append(l.x, x), append(l.y, s.Median)
				}
			}
			if len(l.x) > 0 {
				p.lines = append(p.lines, l)
			}
		}
		if len(p.lines) > 0 {
			out = append(out, p)
		}
	}
	return out
}
