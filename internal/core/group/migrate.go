package group

import (
	"slices"

	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// While a service moves from the classic protocol to KIP-848, or back, its group has members of both. Such a group is
// a KIP-848 group: the shard assigns. Classic members join, sync and heartbeat as ever; their generation is their
// member epoch, nobody leads, and what others say with a heartbeat they say with a join.

// upgrade makes a KIP-848 group of a classic one, because a member of KIP-848 comes. Whoever waits joins again.
func (t *turn) upgrade(g *classic) (*consumer, *refusal) {
	cannot := &refusal{wire.GroupIDNotFound, "Group " + g.id + " is not a consumer group."}
	if g.protocolType != consumerProtocol || g.protocol == nil || len(g.members) >= t.s.cfg.ConsumerMaxSize {
		return nil, cannot
	}
	scratch := New(t.s.cfg)
	write := func(kind int16, name string, v consumerValue) {
		r := &ConsumerRecord{Kind: kind, Group: g.id, Name: name, value: v}
		scratch.Apply(0, r)
		t.put(r)
	}
	t.stopClassic(g)
	taken := map[topicPartition]bool{}
	for _, m := range g.members {
		v, _, ok := t.classicSelf(m.instance, m.client, m.session.Milliseconds(), m.rebalance.Milliseconds(), m.protocols)
		if !ok {
			return nil, cannot
		}
		waiting := *m
		t.answer(&waiting, wire.RebalanceInProgress)
		write(keyConsumerMember, m.id, &v)
		has := t.readAssigned(m.assignment, g.generation, taken)
		write(keyConsumerTargetMember, m.id, targetValue(withoutEpochs(has)))
		write(keyConsumerCurrent, m.id, &currentValue{Epoch: g.generation, Previous: g.generation, State: memberStable, Assigned: has})
		t.arm(TimerSession, g.id, m.id, m.session)
	}
	write(keyConsumer, "", &epochValue{Epoch: g.generation})
	write(keyConsumerTarget, "", &targetEpochValue{Epoch: g.generation})
	return scratch.consumer(g.id), nil
}

func ptrTo[T any](v T) *T { return &v }

// stopClassic ends a classic group and its clocks. Sessions of members go on under the same names.
func (t *turn) stopClassic(g *classic) {
	t.put(&ClassicRecord{Group: g.id})
	for _, kind := range []TimerKind{TimerInitialDelay, TimerRebalance, TimerSync} {
		t.disarm(kind, g.id, "")
	}
	for _, id := range g.pending {
		t.disarm(TimerPending, g.id, id)
	}
}

// classicSelf is what a classic member says of itself, and what it says it owns.
func (t *turn) classicSelf(instance *string, client shard.Client, sessionMs, rebalanceMs int64, protocols []kmsg.JoinGroupRequestProtocol) (v memberValue, owned assignment, ok bool) {
	if len(protocols) == 0 {
		return v, nil, false
	}
	var meta kmsg.ConsumerMemberMetadata
	if err := meta.ReadFrom(protocols[0].Metadata); err != nil {
		return v, nil, false
	}
	set := map[topicPartition]int32{}
	for _, o := range meta.OwnedPartitions {
		if topic := t.cmd.Image.Topic(o.Topic); topic != nil {
			for _, p := range o.Partitions {
				set[topicPartition{topic.ID, p}] = 0
			}
		}
	}
	v = memberValue{
		Instance: instance, Client: client, Topics: slices.Compact(slices.Sorted(slices.Values(meta.Topics))), RebalanceMs: int32(rebalanceMs),
		Classic: &classicMeta{int32(sessionMs), protocols},
	}
	if meta.Version >= 3 {
		v.Rack = meta.Rack
	}
	return v, toAssignment(set, false), true
}

// readAssigned is what a classic leader gave a member. A partition that it gave to two is the first one's; one that
// does not exist is nobody's.
func (t *turn) readAssigned(b []byte, epoch int32, taken map[topicPartition]bool) assignment {
	var a kmsg.ConsumerMemberAssignment
	if err := a.ReadFrom(b); err != nil {
		return nil
	}
	set := map[topicPartition]int32{}
	for _, at := range a.Topics {
		topic := t.cmd.Image.Topic(at.Topic)
		if topic == nil {
			continue
		}
		for _, p := range at.Partitions {
			tp := topicPartition{topic.ID, p}
			if p >= 0 && int(p) < len(topic.Partitions) && !taken[tp] {
				taken[tp], set[tp] = true, epoch
			}
		}
	}
	return toAssignment(set, true)
}

func withoutEpochs(a assignment) assignment {
	out := slices.Clone(a)
	for i := range out {
		out[i].Epochs = nil
	}
	return out
}

// writeAssigned is an assignment as a classic member reads it, in the version of its subscription.
func (t *turn) writeAssigned(m *consumerMember, a assignment) []byte {
	var meta kmsg.ConsumerMemberMetadata
	_ = meta.ReadFrom(m.Classic.Protocols[0].Metadata) // was read when it joined
	out := kmsg.NewConsumerMemberAssignment()
	out.Version = meta.Version
	for _, p := range t.named(a).TopicPartitions {
		out.Topics = append(out.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: p.Topic, Partitions: p.Partitions})
	}
	return out.AppendTo(nil)
}

// supportsClassic tells whether a classic member with these protocols can be in the group.
func (c *consumer) supportsClassic(protocolType string, protocols []kmsg.JoinGroupRequestProtocol) bool {
	like := &classic{state: stateStable, protocolType: consumerProtocol}
	for _, m := range c.sorted {
		if m.Classic != nil {
			like.members = append(like.members, &member{id: m.ID, protocols: m.Classic.Protocols})
		}
	}
	return protocolType == consumerProtocol && like.supports(protocolType, protocols)
}

func (t *turn) joinConsumer(c *consumer, r *kmsg.JoinGroupRequest) {
	b := &beating{c: c, knows: true}
	session := millis(r.SessionTimeoutMillis)
	rebalance := max(millis(r.RebalanceTimeoutMillis), 0)
	if r.Version < 1 || r.RebalanceTimeoutMillis < 0 {
		rebalance = session
	}
	v, owned, ok := t.classicSelf(r.InstanceID, t.cmd.Client, session.Milliseconds(), rebalance.Milliseconds(), r.Protocols)
	if !ok || !c.supportsClassic(r.ProtocolType, r.Protocols) {
		t.refuseJoin(r, r.MemberID, wire.InconsistentGroupProtocol)
		return
	}
	b.owned = owned
	if done := t.whoJoins(b, r); done {
		return
	}
	t.step(b, v)
	t.disarm(TimerRejoin, c.id, b.m.ID)
	t.arm(TimerSync, c.id, b.m.ID, rebalance)
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Version, resp.MemberID, resp.Generation = r.Version, b.m.ID, b.m.Epoch
	resp.ProtocolType, resp.Protocol = ptrTo(consumerProtocol), &r.Protocols[0].Name
	t.reply(t.cmd.Call, resp)
}

// whoJoins finds the member that joins, or answers it.
func (t *turn) whoJoins(b *beating, r *kmsg.JoinGroupRequest) (done bool) {
	c, id := b.c, r.MemberID
	var known *consumerMember
	if r.InstanceID != nil {
		known = c.static(*r.InstanceID)
	}
	switch {
	case id == "" && r.InstanceID == nil && r.Version >= 4:
		t.refuseJoin(r, t.memberID(t.cmd.Client.ID), wire.MemberIDRequired)
		return true
	case id == "" && r.InstanceID != nil:
		id = t.memberID(*r.InstanceID)
		if known != nil && known.Classic == nil && known.Epoch != epochLeaveStatic {
			t.refuseJoin(r, id, wire.UnreleasedInstanceID)
			return true
		}
		if known != nil {
			b.before, b.old = known, known.ID
		}
	case id == "":
		id = t.memberID(t.cmd.Client.ID)
	case r.InstanceID != nil && known == nil:
		t.refuseJoin(r, id, wire.UnknownMemberID)
		return true
	case r.InstanceID != nil && known.ID != id:
		t.refuseJoin(r, id, wire.FencedInstanceID)
		return true
	default:
		b.before = c.members[id]
	}
	if b.before != nil {
		b.m = *b.before
	} else if b.m.State = memberStable; t.crowded(c, id) {
		t.refuseJoin(r, "", wire.GroupMaxSizeReached)
		return true
	}
	b.m.ID = id
	return false
}

// classicMember is the member a classic request is from, or what is wrong with it.
func (c *consumer) classicMember(id string, instance *string, generation int32) (*consumerMember, wire.Code) {
	m := c.members[id]
	if instance != nil {
		known := c.static(*instance)
		if known != nil && known.ID != id {
			return nil, wire.FencedInstanceID
		}
		m = known
	}
	switch {
	case m == nil || m.Classic == nil:
		return nil, wire.UnknownMemberID
	case m.Epoch != generation:
		return nil, wire.IllegalGeneration
	}
	return m, wire.None
}

func (t *turn) syncConsumer(c *consumer, r *kmsg.SyncGroupRequest) {
	m, code := c.classicMember(r.MemberID, r.InstanceID, r.Generation)
	switch {
	case code != wire.None:
	case r.ProtocolType != nil && *r.ProtocolType != consumerProtocol, r.Protocol != nil && *r.Protocol != m.Classic.Protocols[0].Name:
		code = wire.InconsistentGroupProtocol
	case c.epoch > m.Epoch && m.State != memberUnrevoked && c.assignmentEpoch > m.Epoch:
		t.tellRejoin(c, m)
		code = wire.RebalanceInProgress
	}
	if code != wire.None {
		t.reply(t.cmd.Call, syncError(r.Version, code))
		return
	}
	t.disarm(TimerSync, c.id, m.ID)
	t.arm(TimerSession, c.id, m.ID, t.session(c.id, m))
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.Version, resp.ProtocolType, resp.Protocol = r.Version, ptrTo(consumerProtocol), &m.Classic.Protocols[0].Name
	resp.MemberAssignment = t.writeAssigned(m, m.Assigned)
	t.reply(t.cmd.Call, resp)
}

// tellRejoin gives a classic member its rebalance time-out to come, from when it was told first.
func (t *turn) tellRejoin(c *consumer, m *consumerMember) {
	t.out.Timers = append(t.out.Timers, shard.Timer{Key: TimerKey{TimerRejoin, c.id, m.ID}, At: t.now.Add(millis(m.RebalanceMs)), Keep: true})
}

// beatConsumer tells a classic member to rejoin when there is something for it to give up or to get.
func (t *turn) beatConsumer(c *consumer, r *kmsg.HeartbeatRequest) wire.Code {
	m, code := c.classicMember(r.MemberID, r.InstanceID, r.Generation)
	if code != wire.None {
		return code
	}
	t.arm(TimerSession, c.id, m.ID, t.session(c.id, m))
	// Before the targets of a new epoch are there, a rejoin would find nothing new.
	if m.Epoch < c.assignmentEpoch || m.State == memberUnrevoked || m.State == memberUnreleased && !c.waits(m) {
		t.tellRejoin(c, m)
		return wire.RebalanceInProgress
	}
	return wire.None
}

// waits tells whether something that the member is to have is still another's.
func (c *consumer) waits(m *consumerMember) bool {
	for tp := range c.targets[m.ID].all {
		if owner := c.owners[tp]; owner != "" && owner != m.ID {
			return true
		}
	}
	return false
}

func (t *turn) leaveConsumer(c *consumer, members []kmsg.LeaveGroupRequestMember) []kmsg.LeaveGroupResponseMember {
	var out []kmsg.LeaveGroupResponseMember
	var gone []string
	for _, l := range members {
		m, code := c.members[l.MemberID], wire.None
		if l.InstanceID != nil {
			m = c.static(*l.InstanceID)
		}
		switch {
		case m == nil || m.Classic == nil || slices.Contains(gone, m.ID):
			code = wire.UnknownMemberID
		case l.MemberID != "" && l.MemberID != m.ID:
			code = wire.FencedInstanceID
		default:
			gone = append(gone, m.ID)
		}
		out = append(out, kmsg.LeaveGroupResponseMember{MemberID: l.MemberID, InstanceID: l.InstanceID, ErrorCode: int16(code)})
	}
	if len(gone) > 0 {
		t.fence(c, gone...)
	}
	return out
}

// downgrade makes a classic group of one whose last KIP-848 member went, and lets it rebalance by itself.
func (t *turn) downgrade(c *consumer, left []*consumerMember) bool {
	if len(left) == 0 || len(left) > t.s.cfg.MaxSize || slices.ContainsFunc(left, func(m *consumerMember) bool { return m.Classic == nil }) {
		return false
	}
	if !slices.ContainsFunc(c.sorted, func(m *consumerMember) bool { return m.Classic == nil }) {
		return false // it has been of classic members only: the shard goes on assigning
	}
	g := &classic{id: c.id, generation: c.epoch, protocolType: consumerProtocol}
	for _, m := range left {
		t.endMember(c, m.ID)
		g.insert(&member{
			id: m.ID, instance: m.Instance, client: m.Client, session: millis(m.Classic.SessionMs), rebalance: millis(m.RebalanceMs),
			protocols: m.Classic.Protocols, assignment: t.writeAssigned(m, m.Assigned),
		})
	}
	t.dropConsumer(c)
	g.leader = g.members[0].id
	protocol := g.vote()
	g.protocol = &protocol
	g.learnTopics()
	t.enter(g, stateStable)
	t.writeClassic(g)
	for _, m := range g.members {
		t.arm(TimerSession, g.id, m.id, m.session)
	}
	t.prepare(g)
	t.close(g)
	return true
}
