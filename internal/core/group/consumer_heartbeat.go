package group

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const maxRegex = 4096 // bytes of a pattern; more is no pattern a person wrote

// refusal is what is wrong with a heartbeat, for the client and for its log.
type refusal struct {
	code    wire.Code
	message string
}

func (t *turn) consumerHeartbeat(r *kmsg.ConsumerGroupHeartbeatRequest) {
	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.Version = r.Version
	bad := t.checkConsumerHeartbeat(r)
	if bad == nil {
		if r.MemberEpoch < 0 {
			bad = t.consumerLeave(r, resp)
		} else {
			bad = t.consumerBeat(r, resp)
		}
	}
	if bad != nil {
		t.out = shard.Outcome{}
		resp.ErrorCode = int16(bad.code)
		if bad.message != "" {
			resp.ErrorMessage = &bad.message
		}
	}
	t.reply(t.cmd.Call, resp)
}

func (t *turn) checkConsumerHeartbeat(r *kmsg.ConsumerGroupHeartbeatRequest) *refusal {
	invalid := func(message string) *refusal { return &refusal{wire.InvalidRequest, message} }
	switch {
	case r.Group == "":
		return invalid("GroupId can't be empty.")
	case len(r.Group) > maxName, len(r.MemberID) > maxName:
		return invalid("The group id or the member id is longer than 32767 bytes.")
	case r.InstanceID != nil && *r.InstanceID == "":
		return invalid("InstanceId can't be empty.")
	case r.RackID != nil && *r.RackID == "":
		return invalid("RackId can't be empty.")
	case r.MemberEpoch < epochLeaveStatic:
		return invalid("MemberEpoch is invalid.")
	case r.MemberID == "" && (r.MemberEpoch != epochJoin || r.Version >= 1):
		return invalid("MemberId can't be empty.")
	case r.MemberEpoch == epochLeaveStatic && r.InstanceID == nil:
		return invalid("InstanceId can't be null.")
	}
	if r.MemberEpoch == epochJoin {
		switch {
		case r.RebalanceTimeoutMillis < 0:
			return invalid("RebalanceTimeoutMs must be provided in first request.")
		case r.Topics == nil || len(r.Topics) > 0:
			return invalid("TopicPartitions must be empty when (re-)joining.")
		case r.SubscribedTopicNames == nil && r.SubscribedTopicRegex == nil:
			return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
		}
	}
	if r.ServerAssignor != nil && !slices.Contains(t.s.cfg.ConsumerAssignors, *r.ServerAssignor) {
		return &refusal{wire.UnsupportedAssignor, "ServerAssignor " + *r.ServerAssignor + " is not supported. Supported assignors: " + strings.Join(t.s.cfg.ConsumerAssignors, ", ") + "."}
	}
	if r.SubscribedTopicRegex != nil && *r.SubscribedTopicRegex != "" {
		if _, err := compilePattern(*r.SubscribedTopicRegex); err != nil {
			return &refusal{wire.InvalidRegularExpression, "SubscribedTopicRegex is not a valid regular expression: " + err.Error()}
		}
	}
	return nil
}

// compilePattern makes a pattern that has to match a whole name. Matching takes time linear in the name.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxRegex {
		return nil, &regexpTooLong{}
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, err
	}
	return regexp.Compile(`^(?:` + pattern + `)$`)
}

type regexpTooLong struct{}

func (*regexpTooLong) Error() string { return "it is longer than 4096 bytes" }

// beating is one member's heartbeat as it is worked on.
type beating struct {
	c      *consumer
	r      *kmsg.ConsumerGroupHeartbeatRequest
	before *consumerMember // as it is in the group; nil: new
	m      consumerMember  // as it will be
	old    string          // the id that m takes the place of; "" for none
	owned  assignment      // what the member says it owns
	knows  bool            // whether it says so
}

func (t *turn) consumerBeat(r *kmsg.ConsumerGroupHeartbeatRequest, resp *kmsg.ConsumerGroupHeartbeatResponse) *refusal {
	c, bad := t.consumerFor(r)
	if bad != nil {
		return bad
	}
	b := &beating{c: c, r: r, knows: r.Topics != nil}
	set := map[topicPartition]int32{}
	for _, topic := range r.Topics {
		for _, p := range topic.Partitions {
			set[topicPartition{topic.TopicID, p}] = 0
		}
	}
	b.owned = toAssignment(set, false)
	if bad := t.whoBeats(b); bad != nil {
		return bad
	}
	was, epoch := t.step(b, b.described(t.cmd.Client))
	resp.MemberID, resp.MemberEpoch = &b.m.ID, b.m.Epoch
	resp.HeartbeatIntervalMillis = int32(t.interval(c, b.m, epoch).Milliseconds())
	full := r.MemberEpoch == epochJoin || r.RebalanceTimeoutMillis != -1 && (r.SubscribedTopicNames != nil || r.SubscribedTopicRegex != nil) && b.knows
	if full || !was.Assigned.same(b.m.Assigned) {
		resp.Assignment = toResponse(b.m.Assigned)
	}
	return nil
}

// consumerFor is the group a heartbeat is for: one that is there, or for a member that joins a new one.
func (t *turn) consumerFor(r *kmsg.ConsumerGroupHeartbeatRequest) (*consumer, *refusal) {
	if c := t.s.consumer(r.Group); c != nil {
		return c, nil
	}
	known := t.s.classic(r.Group)
	switch {
	case r.MemberEpoch != epochJoin:
		return nil, &refusal{wire.GroupIDNotFound, "Group " + r.Group + " not found."}
	case known == nil:
		return newConsumer(r.Group), nil
	case len(known.members) > 0:
		return t.upgrade(known)
	}
	t.stopClassic(known) // an empty classic group gives way; its offsets stay, and the epochs go on where it was
	c := newConsumer(r.Group)
	c.epoch = known.generation
	return c, nil
}

func (t *turn) put(r shard.Record) { t.out.Records = append(t.out.Records, r) }

// whoBeats finds the member, lets a new one in, and fences one that is behind.
func (t *turn) whoBeats(b *beating) *refusal {
	r, c := b.r, b.c
	id := r.MemberID
	if id == "" {
		id = t.memberID("")[1:]
	}
	b.before = c.members[id]
	if r.InstanceID != nil {
		if bad := b.whichInstance(id); bad != nil {
			return bad
		}
	}
	switch {
	case b.before != nil:
		b.m = *b.before
		b.m.ID = id
		if r.MemberEpoch != epochJoin {
			return b.checkEpoch()
		}
		return nil
	case r.MemberEpoch != epochJoin:
		return &refusal{wire.UnknownMemberID, "Member " + id + " is not a member of group " + r.Group + "."}
	case t.crowded(c, id):
		return &refusal{wire.GroupMaxSizeReached, "The consumer group has reached its maximum capacity."}
	}
	b.m = consumerMember{ID: id, memberValue: memberValue{RebalanceMs: -1}, currentValue: currentValue{State: memberStable}}
	return nil
}

// maxTargetBytes bounds what one assignment writes, a record a member: names of 32 KB are few in a batch. Groups with
// names as people give them have room for some 45,000 members.
const maxTargetBytes = 8 << 20

// crowded tells whether a group has no room for one more member.
func (t *turn) crowded(c *consumer, id string) bool {
	if len(c.members) >= t.s.cfg.ConsumerMaxSize {
		return true
	}
	size := 128 + len(c.id) + len(id)
	for other := range c.members { // order-free
		size += 128 + len(c.id) + len(other)
	}
	return size > maxTargetBytes
}

// whichInstance lets a static member take the place of one of the same instance that said it would come back.
func (b *beating) whichInstance(id string) *refusal {
	known := b.c.static(*b.r.InstanceID)
	instance := "Instance id " + *b.r.InstanceID
	switch {
	case known == nil && b.r.MemberEpoch != epochJoin:
		return &refusal{wire.UnknownMemberID, instance + " is unknown."}
	case known == nil || known.ID == id:
		b.before = known
		return nil
	case b.r.MemberEpoch != epochJoin:
		return &refusal{wire.FencedInstanceID, instance + " belongs to another member by now."}
	case known.Epoch != epochLeaveStatic:
		return &refusal{wire.UnreleasedInstanceID, instance + " is in use by another member, which has not left."}
	}
	b.before, b.old = known, known.ID
	return nil
}

// checkEpoch fences who is not at the member's epoch. One that is at the epoch before may have missed the answer that
// told of this one: it is let on if it owns nothing that is not its own.
func (b *beating) checkEpoch() *refusal {
	got, m := b.r.MemberEpoch, b.before
	if got == m.Epoch {
		return nil
	}
	if got == m.Previous && got < m.Epoch && b.knows {
		own := true
		for tp := range b.owned.all {
			own = own && m.Assigned.has(tp)
		}
		if own {
			return nil
		}
	}
	return &refusal{wire.FencedMemberEpoch, "The member's epoch is not the one the group coordinator has. The member must abandon all its partitions and rejoin."}
}

// before0 is the id under which the group has the member so far.
func (b *beating) before0() string {
	if b.old != "" {
		return b.old
	}
	return b.m.ID
}

// membersAfter is the group's members with this one as it will be, sorted by id.
func (b *beating) membersAfter() []*consumerMember {
	out := slices.DeleteFunc(b.c.list(), func(m *consumerMember) bool { return m.ID == b.before0() })
	i, _ := slices.BinarySearchFunc(out, b.m.ID, func(m *consumerMember, id string) int { return compare(m.ID, id) })
	return slices.Insert(out, i, &b.m)
}

// step is one step of a member, whatever its protocol: what it says of itself is taken over, the group is assigned anew
// if that makes a difference, and the member gets what is free for it. It returns what the member had before, and the
// group's epoch.
func (t *turn) step(b *beating, v memberValue) (was currentValue, epoch int32) {
	c := b.c
	changed := t.introduce(b, v)
	epoch, assignmentEpoch, targets := c.epoch, c.assignmentEpoch, map[string]assignment(nil)
	if changed {
		epoch, assignmentEpoch, targets = t.settle(c, b.membersAfter(), true, b.old, b.m.ID)
	}
	target, ok := targets[b.m.ID]
	if !ok {
		target = c.targets[b.before0()]
	}
	was = b.m.currentValue
	t.reconcile(b, assignmentEpoch, target)
	if b.before == nil || b.old != "" || !sameCurrent(was, b.m.currentValue) {
		t.put(c.record(keyConsumerCurrent, b.m.ID, &b.m.currentValue))
	}
	t.clocks(b, was)
	return was, epoch
}

// described is what the member says of itself, by its heartbeat and those before.
func (b *beating) described(client shard.Client) memberValue {
	r, v := b.r, b.m.memberValue
	if r.InstanceID != nil {
		v.Instance = r.InstanceID
	}
	if r.RackID != nil {
		v.Rack = r.RackID
	}
	if r.RebalanceTimeoutMillis >= 0 {
		v.RebalanceMs = r.RebalanceTimeoutMillis
	}
	if r.ServerAssignor != nil {
		v.Assignor = r.ServerAssignor
	}
	if r.SubscribedTopicNames != nil {
		v.Topics = slices.Compact(slices.Sorted(slices.Values(r.SubscribedTopicNames)))
	}
	if r.SubscribedTopicRegex != nil {
		v.Regex = r.SubscribedTopicRegex
		if *v.Regex == "" {
			v.Regex = nil
		}
	}
	v.Client, v.Classic = client, nil
	return v
}

// introduce writes down what a member says of itself, and tells whether the group has to be assigned anew.
func (t *turn) introduce(b *beating, v memberValue) (changed bool) {
	was := b.m.memberValue
	if b.old != "" {
		t.replaceConsumer(b)
	}
	b.m.memberValue = v
	if b.before == nil || b.old != "" || !sameMember(v, was) {
		t.put(b.c.record(keyConsumerMember, b.m.ID, &b.m.memberValue))
	}
	return b.before == nil || !slices.Equal(was.Topics, v.Topics) || deref(was.Regex) != deref(v.Regex)
}

// replaceConsumer ends the id that an instance had before; the new one inherits what it had and was to have.
func (t *turn) replaceConsumer(b *beating) {
	t.endMember(b.c, b.old)
	b.m.Epoch, b.m.Previous = 0, 0
	if target, ok := b.c.targets[b.old]; ok {
		t.put(b.c.record(keyConsumerTargetMember, b.m.ID, targetValue(target)))
	}
}

func (t *turn) endMember(c *consumer, id string) {
	for _, kind := range []int16{keyConsumerCurrent, keyConsumerTargetMember, keyConsumerMember} {
		t.put(c.record(kind, id, nil))
	}
	for _, kind := range []TimerKind{TimerSession, TimerRevoke, TimerRejoin, TimerSync} {
		t.disarm(kind, c.id, id)
	}
}

func sameMember(a, b memberValue) bool {
	return deref(a.Instance) == deref(b.Instance) && deref(a.Rack) == deref(b.Rack) && a.Client == b.Client && slices.Equal(a.Topics, b.Topics) &&
		deref(a.Regex) == deref(b.Regex) && a.RebalanceMs == b.RebalanceMs && deref(a.Assignor) == deref(b.Assignor) && a.Classic == b.Classic
}

func sameCurrent(a, b currentValue) bool {
	return a.Epoch == b.Epoch && a.Previous == b.Previous && a.State == b.State && a.Assigned.equal(b.Assigned) && a.Revoking.equal(b.Revoking)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// clocks restarts the member's session, and its time to give up partitions when that begins.
func (t *turn) clocks(b *beating, was currentValue) {
	t.arm(TimerSession, b.c.id, b.m.ID, t.session(b.c.id, &b.m))
	revoking, wasRevoking := b.m.State == memberUnrevoked, was.State == memberUnrevoked && b.old == ""
	switch {
	case revoking && (!wasRevoking || was.Epoch != b.m.Epoch):
		t.arm(TimerRevoke, b.c.id, b.m.ID, max(millis(b.m.RebalanceMs), 0))
	case !revoking && wasRevoking:
		t.disarm(TimerRevoke, b.c.id, b.m.ID)
	}
}

// session is how long a member may not be heard of. Classic members choose it themselves.
func (t *turn) session(group string, m *consumerMember) time.Duration {
	if m.Classic != nil {
		return millis(m.Classic.SessionMs)
	}
	cfg := &t.s.cfg
	return t.own(group, "consumer.session.timeout.ms", cfg.ConsumerSessionMin, cfg.ConsumerSessionMax, cfg.ConsumerSessionTimeout)
}

// interval is when to come again: soon while something moves, seldom in a large group at rest.
func (t *turn) interval(c *consumer, m consumerMember, epoch int32) time.Duration {
	cfg := &t.s.cfg
	if m.State != memberStable || m.Epoch != epoch {
		return cfg.ConsumerHeartbeatMin
	}
	rest := min(max(time.Duration(len(c.members))*time.Millisecond, cfg.ConsumerHeartbeatRest), cfg.ConsumerHeartbeatMax)
	return t.own(c.id, "consumer.heartbeat.interval.ms", cfg.ConsumerBeatMin, cfg.ConsumerBeatMax, rest)
}

func toResponse(a assignment) *kmsg.ConsumerGroupHeartbeatResponseAssignment {
	out := &kmsg.ConsumerGroupHeartbeatResponseAssignment{}
	for _, t := range a {
		out.Topics = append(out.Topics, kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{TopicID: t.Topic, Partitions: t.Partitions})
	}
	return out
}

// consumerLeave lets a member go, for good or, if it is static and says so, for a while.
func (t *turn) consumerLeave(r *kmsg.ConsumerGroupHeartbeatRequest, resp *kmsg.ConsumerGroupHeartbeatResponse) *refusal {
	c := t.s.consumer(r.Group)
	if c == nil {
		return &refusal{wire.GroupIDNotFound, "Group " + r.Group + " not found."}
	}
	m := c.members[r.MemberID]
	if r.InstanceID != nil {
		known := c.static(*r.InstanceID)
		if known != nil && known.ID != r.MemberID {
			return &refusal{wire.FencedInstanceID, "Instance id " + *r.InstanceID + " belongs to another member by now."}
		}
		m = known
	}
	if m == nil {
		return &refusal{wire.UnknownMemberID, "Member " + r.MemberID + " is not a member of group " + r.Group + "."}
	}
	resp.MemberID, resp.MemberEpoch = &m.ID, r.MemberEpoch
	if r.MemberEpoch == epochLeave {
		t.fence(c, m.ID)
		return nil
	}
	away := m.currentValue
	away.Epoch, away.Revoking, away.State = epochLeaveStatic, nil, memberStable
	t.put(c.record(keyConsumerCurrent, m.ID, &away))
	t.disarm(TimerRevoke, c.id, m.ID)
	return nil
}

// fence removes members: what they had is free, and the group is assigned anew.
func (t *turn) fence(c *consumer, ids ...string) {
	for _, id := range ids {
		t.endMember(c, id)
	}
	left := slices.DeleteFunc(c.list(), func(m *consumerMember) bool { return slices.Contains(ids, m.ID) })
	if !t.downgrade(c, left) {
		t.settle(c, left, true, "", "")
	}
}
