package main

import "time"

// What starting and stopping a system takes, measured on two cores: formatting and the JVM are most of Kafka's.
var startCost = map[string]float64{"kafka": 7, "kafka tuned": 7, "holdfast": 1}

// estimate is about how long one round of a row takes on a quiet machine.
func (b *bench) estimate(r row) time.Duration {
	var sum float64
	seen := map[string]bool{}
	for _, v := range r.variants {
		if r.alone || !seen[v.system] && !b.share {
			sum += startCost[v.system]
		}
		seen[v.system] = true
		const settling = 0.7 // writing dirty pages out, starting the load generator
		sum += r.cost.fixed + r.cost.scaled*b.scale + b.warmup.Seconds() + settling + float64(b.warmBytes)/4e9
	}
	return time.Duration(sum * float64(time.Second)).Round(time.Second)
}

func (b *bench) estimateAll(rows []row) time.Duration {
	var sum time.Duration
	for _, r := range rows {
		sum += b.estimate(r)
	}
	return (sum * time.Duration(b.rounds)).Round(10 * time.Second)
}
