package group

import (
	"maps"
	"slices"

	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// firedConsumer handles a due timer of a KIP-848 group.
func (t *turn) firedConsumer(c *consumer, k TimerKey) {
	if k.Kind == TimerAssign {
		t.settle(c, c.list(), false, "", "")
		return
	}
	m := c.members[k.Member]
	if m == nil || k.Kind == TimerRevoke && m.State != memberUnrevoked {
		return
	}
	switch k.Kind {
	case TimerSession, TimerRevoke, TimerRejoin, TimerSync:
		t.fence(c, m.ID)
	}
}

func (t *turn) loadedConsumer(c *consumer) {
	for _, m := range c.list() {
		t.arm(TimerSession, c.id, m.ID, t.session(c.id, m))
		if m.State == memberUnrevoked {
			t.arm(TimerRevoke, c.id, m.ID, max(millis(m.RebalanceMs), 0))
		}
	}
}

// dropConsumer writes the tombstones of a group without members.
func (t *turn) dropConsumer(c *consumer) {
	for _, id := range slices.Sorted(maps.Keys(c.targets)) {
		t.put(c.record(keyConsumerTargetMember, id, nil))
	}
	for _, pattern := range slices.Sorted(maps.Keys(c.regexes)) {
		t.put(c.record(keyConsumerRegex, pattern, nil))
	}
	t.put(c.record(keyConsumerTarget, "", nil))
	t.put(c.record(keyConsumer, "", nil))
	t.disarm(TimerAssign, c.id, "")
}

// mayCommitConsumer lets members of the current epoch commit. It also lets one that is behind commit what it has had
// since that epoch or longer: nobody else can have read it meanwhile.
func (t *turn) mayCommitConsumer(c *consumer, who committer) wire.Code {
	if who.generation < 0 && len(c.members) == 0 {
		return wire.None
	}
	m := c.members[who.member]
	switch {
	case m == nil:
		return wire.UnknownMemberID
	case (who.transaction || m.Classic != nil) && who.generation != m.Epoch:
		return wire.IllegalGeneration
	case who.transaction || m.Classic != nil:
		return wire.None
	case who.version < 9:
		return wire.UnsupportedVersion
	case who.generation > m.Epoch || who.generation < 0:
		return wire.StaleMemberEpoch
	}
	return wire.None
}

// mayCommitPartition is the part of mayCommitConsumer that differs by partition.
func (t *turn) mayCommitPartition(id, member string, epoch int32, tp topicPartition) wire.Code {
	c := t.s.consumer(id)
	if c == nil || epoch < 0 {
		return wire.None
	}
	m := c.members[member]
	if m == nil || m.Epoch == epoch {
		return wire.None
	}
	for _, a := range []assignment{m.Assigned, m.Revoking} {
		if since, ok := a.since(tp); ok && since <= epoch {
			return wire.None
		}
	}
	return wire.StaleMemberEpoch
}

// since is the epoch from which on a partition is assigned.
func (a assignment) since(tp topicPartition) (int32, bool) {
	i, ok := a.find(tp.topic)
	if !ok {
		return 0, false
	}
	j, ok := slices.BinarySearch(a[i].Partitions, tp.partition)
	if !ok || j >= len(a[i].Epochs) {
		return 0, false
	}
	return a[i].Epochs[j], true
}

func (t *turn) describeConsumers(r *kmsg.ConsumerGroupDescribeRequest) {
	resp := kmsg.NewPtrConsumerGroupDescribeResponse()
	resp.Version = r.Version
	for _, id := range r.Groups {
		g := kmsg.NewConsumerGroupDescribeResponseGroup()
		g.Group = id
		c := t.s.consumer(id)
		switch {
		case id == "":
			g.ErrorCode = int16(wire.InvalidGroupID)
		case c == nil:
			g.ErrorCode = int16(wire.GroupIDNotFound)
			message := "Group " + id + " not found."
			if t.s.groups[id] != nil {
				message = "Group " + id + " is not a consumer group."
			}
			g.ErrorMessage = &message
		default:
			t.describeConsumer(c, &g)
		}
		resp.Groups = append(resp.Groups, g)
	}
	t.reply(t.cmd.Call, resp)
}

func (t *turn) describeConsumer(c *consumer, g *kmsg.ConsumerGroupDescribeResponseGroup) {
	members := c.list()
	g.State, g.Epoch, g.AssignmentEpoch, g.AssignorName = c.state(), c.epoch, c.assignmentEpoch, t.assignor(members)
	for _, m := range members {
		d := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		d.MemberID, d.InstanceID, d.RackID, d.MemberEpoch = m.ID, m.Instance, m.Rack, m.Epoch
		d.ClientID, d.ClientHost, d.SubscribedTopics, d.SubscribedTopicRegex = m.Client.ID, m.Client.Host, m.Topics, m.Regex
		if m.Regex == nil {
			d.SubscribedTopicRegex = new(string) // as Kafka: none is no pattern, not null
		}
		d.Assignment, d.TargetAssignment = t.named(m.Assigned), t.named(c.targets[m.ID])
		if d.MemberType = 1; m.Classic != nil {
			d.MemberType = 0
		}
		g.Members = append(g.Members, d)
	}
}

// named is an assignment with the names of its topics. A topic that is gone has none and is left out.
func (t *turn) named(a assignment) kmsg.Assignment {
	out := kmsg.NewAssignment()
	for _, p := range a {
		if topic := t.cmd.Image.TopicByID(p.Topic); topic != nil {
			out.TopicPartitions = append(out.TopicPartitions, kmsg.AssignmentTopicPartition{TopicID: p.Topic, Topic: topic.Name, Partitions: p.Partitions})
		}
	}
	return out
}
