package main

import (
	"slices"
)

// figures are what one measurement of one variant found, by name.
type figures map[string]float64

// Names of figures. Times are in ms where nothing is said, memory in MB.
const (
	mbps           = "MB/s"
	cpuPerGB       = "CPU s/GB"
	clientCPUPerGB = "client CPU s/GB"
	brokerCPU      = "broker CPU s"
	clientShare    = "client share" // of the machine, 0 to 1, as the next three
	brokerShare    = "broker share"
	others         = "others"
	stolen         = "stolen"
	loadAvg        = "load average"
	rss            = "RSS MB"
	rssPeak        = "peak RSS MB"
	deviceBytes    = "device bytes a byte" // by whoever wrote, until the last acknowledgement
	askedBytes     = "asked bytes a byte"  // the broker's write_bytes in /proc
	seconds        = "seconds"
	p50            = "p50 ms"
	p99            = "p99 ms"
	p999           = "p99.9 ms"
	slowest        = "slowest ms"
	toListening    = "to listening ms"
	toFirstAck     = "to first ack ms"
	idleRSS        = "idle RSS MB"
	producerP99    = "producer p99 ms"
	allIn          = "all in s"
	oneJoins       = "one joins s"
	oneLeaves      = "one leaves s"
	idleCPU        = "idle CPU ms/s" // of the broker
	commitsASecond = "commits/s"
)

// moreIsBetter says which way a figure should go.
func moreIsBetter(name string) bool { return name == mbps || name == commitsASecond }

// spread is a figure's median over the rounds with its extremes.
type spread struct {
	Median, Low, High float64
	Rounds            int
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	v := slices.Sorted(slices.Values(values))
	mid := v[len(v)/2]
	if len(v)%2 == 0 {
		mid = (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return spread{Median: mid, Low: v[0], High: v[len(v)-1], Rounds: len(v)}
}
