package config

import "strings"

// groupTable holds the broker keys of consumer groups and of what they commit.
var groupTable = []Key{
	// Committed offsets.
	{
		Name: "offset.metadata.max.bytes", Type: Int, Default: "4096",
		Doc: "The longest text a client may commit beside an offset, in bytes.",
	},
	{
		Name: "offsets.commit.timeout.ms", Type: Int, Default: "5000", valid: atLeast(1),
		Doc: "How long a coordinator waits for its records to be on enough replicas before it tells the client to try again, in milliseconds.",
	},
	{
		Name: "offsets.retention.minutes", Type: Int, Default: "10080", valid: atLeast(1),
		Doc: "How long offsets are kept once their group has no members, or does not read the topic any more, in minutes.",
	},
	{
		Name: "offsets.retention.check.interval.ms", Type: Long, Default: "600000", valid: atLeast(1),
		Doc: "How often a coordinator looks for offsets that have expired, in milliseconds.",
	},
	{
		Name: "offsets.topic.num.partitions", Type: Int, Default: "50", valid: atLeast(1),
		Doc: "How many partitions the topic of the group coordinators gets when it is created.",
	},
	{
		Name: "offsets.topic.replication.factor", Type: Short, Default: "3", valid: atLeast(1),
		Doc: "How many replicas the topic of the group coordinators gets when it is created; left out, three, or as many as there are brokers if fewer.",
	},
	{
		Name: "offsets.topic.segment.bytes", Type: Int, Default: "104857600", valid: atLeast(1), unsupport: refuseTinySegments,
		Doc: "How large a segment of the topic of the group coordinators gets, in bytes, as that topic is created.",
	},

	// Groups of the classic protocol.
	{
		Name: "group.initial.rebalance.delay.ms", Type: Int, Default: "3000",
		Doc: "How long a new group of the classic protocol waits for more members before it divides the partitions, in milliseconds.",
	},
	{
		Name: "group.min.session.timeout.ms", Type: Int, Default: "6000",
		Doc: "The shortest session time-out a member of the classic protocol may ask for, in milliseconds.",
	},
	{
		Name: "group.max.session.timeout.ms", Type: Int, Default: "1800000",
		Doc: "The longest session time-out a member of the classic protocol may ask for, in milliseconds.",
	},
	{
		Name: "group.max.size", Type: Int, Default: maxInt32, valid: atLeast(1),
		Doc: "The most members a group of the classic protocol may have.",
	},

	// Groups of the consumer protocol (KIP-848).
	{
		Name: "group.consumer.assignors", Type: List, Default: "uniform,range", valid: distinct, unsupport: refuseOtherAssignors,
		Doc: "The ways of dividing partitions that a group may choose from; the first is the one of groups that do not choose.",
	},
	{
		Name: "group.consumer.assignment.interval.ms", Type: Int, Default: "100", valid: atLeast(0), Mode: ClusterWide,
		Doc: "How long after an assignment a group gathers changes before it makes the next one, in milliseconds.",
	},
	{
		Name: "group.consumer.min.assignment.interval.ms", Type: Int, Default: "0", valid: atLeast(0),
		Doc: "The least that consumer.assignment.interval.ms of a group may be, in milliseconds.",
	},
	{
		Name: "group.consumer.max.assignment.interval.ms", Type: Int, Default: "15000", valid: atLeast(0),
		Doc: "The most that consumer.assignment.interval.ms of a group may be, in milliseconds.",
	},
	{
		Name: "group.consumer.heartbeat.interval.ms", Type: Int, Default: "5000", valid: atLeast(1),
		Doc: "The longest time between two heartbeats of a member, in milliseconds. Small groups, and all while partitions move, beat more often.",
	},
	{
		Name: "group.consumer.min.heartbeat.interval.ms", Type: Int, Default: "5000", valid: atLeast(1),
		Doc: "The least that consumer.heartbeat.interval.ms of a group may be, in milliseconds.",
	},
	{
		Name: "group.consumer.max.heartbeat.interval.ms", Type: Int, Default: "15000", valid: atLeast(1),
		Doc: "The most that consumer.heartbeat.interval.ms of a group may be, in milliseconds.",
	},
	{
		Name: "group.consumer.session.timeout.ms", Type: Int, Default: "45000", valid: atLeast(1),
		Doc: "How long a member may be silent before it loses its partitions, in milliseconds.",
	},
	{
		Name: "group.consumer.min.session.timeout.ms", Type: Int, Default: "45000", valid: atLeast(1),
		Doc: "The least that consumer.session.timeout.ms of a group may be, in milliseconds.",
	},
	{
		Name: "group.consumer.max.session.timeout.ms", Type: Int, Default: "60000", valid: atLeast(1),
		Doc: "The most that consumer.session.timeout.ms of a group may be, in milliseconds.",
	},
	{
		Name: "group.consumer.max.size", Type: Int, Default: maxInt32, valid: atLeast(1),
		Doc: "The most members a group of the consumer protocol may have.",
	},
}

// refuseOtherAssignors: Kafka loads others as Java classes.
func refuseOtherAssignors(v string) string {
	for _, name := range SplitList(v) {
		if name != "uniform" && name != "range" {
			return "assignors are uniform and range; " + strings.TrimSpace(name) + " cannot be loaded here"
		}
	}
	return ""
}

// refuseTinySegments: the topic is created with this as its segment.bytes, which has a range of its own.
func refuseTinySegments(v string) string {
	if k := topics.byName["segment.bytes"]; k.Check(v) != nil {
		return "a segment must be " + k.Range() + " bytes"
	}
	return ""
}
