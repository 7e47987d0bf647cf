package node

import (
	"sync"
	"time"

	"holdfast/internal/base/metrics"
	"holdfast/internal/core/group"
	"holdfast/internal/core/shard"
)

// censusPatience is how long a scrape waits for the coordinators to say what they have.
const censusPatience = time.Second

// collectGroups registers what the coordinators of groups have and do.
func (n *Node) collectGroups() {
	r := n.registry
	r.Collect(metrics.CoordinatorShards, func(emit func(float64, ...string)) {
		byState, _ := n.groups.Shards()
		for state, count := range byState { // order-free
			emit(float64(count), n.groups.Topic(), state)
		}
	})
	r.Collect(metrics.CoordinatorMailbox, func(emit func(float64, ...string)) {
		_, length := n.groups.Shards()
		emit(float64(length), n.groups.Topic())
	})
	r.Collect(metrics.Groups, func(emit func(float64, ...string)) {
		for standing, count := range n.census().Groups { // order-free
			emit(float64(count), standing.Protocol, standing.State)
		}
	})
	r.GaugeFunc(metrics.CommittedOffsets, func() float64 { return float64(n.census().Offsets) })
}

// census counts what the shards of this node have. A shard that does not answer in time is left out.
func (n *Node) census() group.Census {
	var mu sync.Mutex
	var c group.Census
	over := false
	n.groups.Look(censusPatience, func(_ int32, m shard.Machine) {
		mu.Lock()
		defer mu.Unlock()
		if s, ok := m.(*groupShard); ok && !over {
			c.Add(s.Shard)
		}
	})
	mu.Lock()
	defer mu.Unlock()
	over = true
	return c
}

// committed counts the offsets that are committed.
func (n *Node) committed() func(shard.Record) {
	commits := n.registry.Counter(metrics.OffsetCommits)
	return func(r shard.Record) {
		if o, ok := r.(*group.OffsetRecord); ok && o.Committed != nil {
			commits.Inc()
		}
	}
}
