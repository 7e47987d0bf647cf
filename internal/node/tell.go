package node

import (
	"runtime"
	"time"

	"holdfast/internal/base/event"
	"holdfast/internal/base/metrics"
	"holdfast/internal/core/image"
	"holdfast/internal/host/partition"
	"holdfast/internal/server"
)

// started tells that the node serves.
func (n *Node) started() {
	took := time.Since(n.options.Began)
	n.registry.Gauge(metrics.BuildInfo, n.options.Version, runtime.Version()).Set(1)
	n.registry.Gauge(metrics.StartSeconds).Set(took.Seconds())
	n.events.Emit(event.New(event.KindNodeStarted, time.Now(), n.id.NodeID).Text("version", n.options.Version).
		Number("partitions", int64(n.quorum.Image().PartitionCount())).Number("millis", took.Milliseconds()))
}

// tellTopics tells of topics that came, grew and went.
func (n *Node) tellTopics(d image.Delta) {
	now := time.Now()
	for _, c := range d.Topics {
		switch {
		case c.Before == nil && c.After.Name != event.Topic:
			replicas := 0
			if len(c.After.Partitions) > 0 {
				replicas = len(c.After.Partitions[0].Replicas)
			}
			n.events.Emit(event.New(event.KindTopicCreated, now, n.id.NodeID).In(c.After.Name, event.NoPartition).
				Text("topic_id", c.After.ID.String()).Number("partitions", int64(len(c.After.Partitions))).
				Number("replicas", int64(replicas)).Text("cause", "request"))
		case c.After == nil:
			n.events.Emit(event.New(event.KindTopicDeleted, now, n.id.NodeID).In(c.Before.Name, event.NoPartition).
				Text("topic_id", c.Before.ID.String()).Number("partitions", int64(len(c.Before.Partitions))))
		case c.Before != nil && len(c.After.Partitions) > len(c.Before.Partitions):
			n.events.Emit(event.New(event.KindPartitionsAdded, now, n.id.NodeID).In(c.After.Name, event.NoPartition).
				Number("before", int64(len(c.Before.Partitions))).Number("after", int64(len(c.After.Partitions))))
		}
	}
}

// collect registers what is asked for at each scrape.
func (n *Node) collect() {
	r := n.registry
	r.GaugeFunc(metrics.Topics, func() float64 { return float64(n.quorum.Image().TopicCount()) })
	r.GaugeFunc(metrics.Partitions, func() float64 { return float64(n.quorum.Image().PartitionCount()) })
	r.GaugeFunc(metrics.OpenFiles, func() float64 { return float64(n.partitions.OpenFiles()) })
	r.GaugeFunc(metrics.PartitionsOffline, func() float64 { return float64(n.partitions.Tally().Offline) })
	r.GaugeFunc(metrics.Producers, func() float64 { return float64(n.partitions.Tally().Producers) })
	r.GaugeFunc(metrics.LogSegments, func() float64 { return float64(n.partitions.Tally().Segments) })
	r.GaugeFunc(metrics.DamagedRanges, func() float64 { return float64(n.partitions.Tally().Damaged) })
	n.collectQuorum()
	r.Collect(metrics.LogBytes, func(emit func(float64, ...string)) {
		for _, t := range n.partitions.Topics() {
			emit(float64(t.Size()), t.Name)
		}
	})
	n.collectCompaction()
	r.Collect(metrics.DirOnline, func(emit func(float64, ...string)) { emit(truth(n.partitions.Failed() == nil), n.dir) })
	r.Collect(metrics.DirFull, func(emit func(float64, ...string)) { emit(truth(n.partitions.Full()), n.dir) })
	r.Collect(metrics.DirFreeBytes, func(emit func(float64, ...string)) {
		if free, _, err := n.partitions.Space(); err == nil {
			emit(float64(free), n.dir)
		}
	})
	r.Collect(metrics.DirTotalBytes, func(emit func(float64, ...string)) {
		if _, total, err := n.partitions.Space(); err == nil {
			emit(float64(total), n.dir)
		}
	})
}

func (n *Node) collectCompaction() {
	each := func(def *metrics.Def, value func(partition.Compaction) float64) {
		n.registry.Collect(def, func(emit func(float64, ...string)) {
			for _, t := range n.partitions.Topics() {
				if c, ok := t.Compaction(time.Now()); ok {
					emit(value(c), t.Name)
				}
			}
		})
	}
	each(metrics.CompactionDirtyBytes, func(c partition.Compaction) float64 { return float64(c.Dirty) })
	each(metrics.CompactionUnclean, func(c partition.Compaction) float64 { return float64(c.Unclean) })
	each(metrics.CompactionLastRun, func(c partition.Compaction) float64 { return float64(c.LastRunMs) / 1000 })
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (n *Node) collectQuorum() {
	r := n.registry
	r.GaugeFunc(metrics.QuorumTerm, func() float64 { return float64(n.quorum.Stats().Term) })
	r.GaugeFunc(metrics.QuorumApplied, func() float64 { return float64(n.quorum.Stats().Applied) })
	r.GaugeFunc(metrics.JournalBytes, func() float64 { return float64(n.quorum.Stats().Journal) })
	r.GaugeFunc(metrics.QuorumLeader, func() float64 {
		if n.quorum.Stats().Active {
			return float64(n.id.NodeID)
		}
		return -1
	})
}

// collectServer registers what the server and its handlers hold.
func (n *Node) collectServer() {
	r := n.registry
	r.Gauge(metrics.MemoryBudgetBytes).Set(float64(n.frames.Limit() + n.work.Limit() + n.answers.Limit()))
	r.GaugeFunc(metrics.MemoryUsedBytes, func() float64 {
		return float64(n.frames.Used() + n.work.Used() + n.answers.Used() + n.handler.Waiting())
	})
	r.GaugeFunc(metrics.FetchSessions, func() float64 { return float64(n.handler.FetchSessions()) })
}

func (n *Node) serverMetrics() server.Metrics {
	panics := n.registry.Counter(metrics.DecodePanics)
	return server.Metrics{
		Opened: func(listener string) {
			n.registry.Counter(metrics.ConnectionsOpened, listener).Inc()
			n.registry.Gauge(metrics.Connections, listener).Add(1)
		},
		Closed: func(listener, reason string) {
			n.registry.Counter(metrics.ConnectionsClosed, listener, reason).Inc()
			n.registry.Gauge(metrics.Connections, listener).Add(-1)
		},
		Refused:  func(listener, reason string) { n.registry.Counter(metrics.ConnectionsRefused, listener, reason).Inc() },
		Panicked: panics.Inc,
		Violated: func() { n.registry.Counter(metrics.Violations, "request").Inc() },
	}
}
