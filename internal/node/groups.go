package node

import (
	"time"

	"holdfast/internal/base/config"
	"holdfast/internal/core/group"
	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
	"holdfast/internal/host/coord"
)

// startGroups starts the coordinators of consumer groups that this node leads.
func (n *Node) startGroups() {
	n.groups = n.coordinators(coord.Kind{
		Topic: image.TopicOffsets, New: n.newGroupShard, Decode: group.Decode, Refuse: group.Refuse,
		PartitionFor: shard.PartitionFor, Creation: func() coord.Creation { return offsetsTopic(n.config.Load()) }, Appended: n.committed(),
	})
	n.collectGroups()
	n.groups.Start()
}

// coordinators hosts those of one kind that this node leads.
func (n *Node) coordinators(kind coord.Kind) *coord.Host {
	patience := n.static.Duration("offsets.commit.timeout.ms")
	return coord.New(coord.Options{
		Kind: kind, NodeID: n.id.NodeID, FS: n.options.FS, Dir: n.dir, Partitions: n.partitions, Image: n.quorum.Image(),
		Events: n.events, Metrics: n.registry, Log: n.options.Log,
		Propose:       n.quorum.Propose,
		CommitTimeout: func() time.Duration { return patience },
	})
}

// groupShard is a shard whose settings are the node's as they are.
type groupShard struct {
	*group.Shard
	now  func() *config.Values
	seen *config.Values
}

func (n *Node) newGroupShard() shard.Machine {
	v := n.config.Load()
	return &groupShard{Shard: group.New(groupConfig(v)), now: n.config.Load, seen: v}
}

// Decide takes over settings that have changed before it lets the shard decide.
func (s *groupShard) Decide(now time.Time, cmd shard.Command) shard.Outcome {
	if v := s.now(); v != s.seen {
		s.seen = v
		s.SetConfig(groupConfig(v))
	}
	return s.Shard.Decide(now, cmd)
}

// recordRoom is what a batch of a coordinator takes besides its records' keys and values, at most.
const recordRoom = 4 << 10

// groupConfig is what the broker's settings say about groups.
func groupConfig(v *config.Values) group.Config {
	c := group.DefaultConfig()
	c.InitialRebalanceDelay = v.Duration("group.initial.rebalance.delay.ms")
	c.MinSessionTimeout, c.MaxSessionTimeout = v.Duration("group.min.session.timeout.ms"), v.Duration("group.max.session.timeout.ms")
	c.MaxSize = v.Int("group.max.size")

	c.ConsumerSessionTimeout = v.Duration("group.consumer.session.timeout.ms")
	c.ConsumerHeartbeatMax = v.Duration("group.consumer.heartbeat.interval.ms")
	c.ConsumerHeartbeatRest = min(c.ConsumerHeartbeatRest, c.ConsumerHeartbeatMax)
	c.ConsumerHeartbeatMin = min(c.ConsumerHeartbeatMin, c.ConsumerHeartbeatMax)
	c.ConsumerAssignInterval = v.Duration("group.consumer.assignment.interval.ms")
	c.ConsumerSessionMin, c.ConsumerSessionMax = v.Duration("group.consumer.min.session.timeout.ms"), v.Duration("group.consumer.max.session.timeout.ms")
	c.ConsumerBeatMin, c.ConsumerBeatMax = v.Duration("group.consumer.min.heartbeat.interval.ms"), v.Duration("group.consumer.max.heartbeat.interval.ms")
	c.ConsumerAssignMin, c.ConsumerAssignMax = v.Duration("group.consumer.min.assignment.interval.ms"), v.Duration("group.consumer.max.assignment.interval.ms")
	c.ConsumerAssignors = v.List("group.consumer.assignors")
	c.ConsumerMaxSize = v.Int("group.consumer.max.size")

	c.OffsetMetadataMax = v.Int("offset.metadata.max.bytes")
	c.OffsetsRetention = time.Duration(v.Int("offsets.retention.minutes")) * time.Minute
	c.SweepInterval = v.Duration("offsets.retention.check.interval.ms")
	c.MaxRecordBytes = recordBytes(v, c.MaxRecordBytes)
	return c
}

// recordBytes bounds a coordinator's records by what its topic takes.
func recordBytes(v *config.Values, most int) int {
	if takes := v.Int("message.max.bytes"); takes > recordRoom {
		return min(most, takes-recordRoom)
	}
	return most
}

// replicas is the replication factor of a coordinator's topic, by the setting of that name. Nobody who runs one or two
// nodes should have to say that they cannot hold three: left alone, it is what the cluster can hold.
func replicas(v *config.Values, setting string) int16 {
	if v.Source(setting) == config.DefaultConfig {
		return -1
	}
	return int16(v.Int(setting))
}

// offsetsTopic is how the topic of the group coordinators is made.
func offsetsTopic(v *config.Values) coord.Creation {
	return coord.Creation{
		Partitions: int32(v.Int("offsets.topic.num.partitions")), ReplicationFactor: replicas(v, "offsets.topic.replication.factor"),
		Configs: map[string]string{
			"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": v.String("offsets.topic.segment.bytes"),
		},
	}
}
