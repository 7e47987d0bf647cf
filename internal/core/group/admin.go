package group

import (
	"slices"
	"strings"

	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Types of groups, as ListGroups names them.
const (
	typeClassic  = "classic"
	typeConsumer = "consumer"
)

func (t *turn) list(r *kmsg.ListGroupsRequest) {
	resp := kmsg.NewPtrListGroupsResponse()
	resp.Version = r.Version
	for _, id := range t.s.ids() {
		g := kmsg.ListGroupsResponseGroup{Group: id}
		g.ProtocolType, g.GroupState, g.GroupType = t.s.groups[id].listed()
		if r.Version >= 4 && !oneOf(r.StatesFilter, g.GroupState) || r.Version >= 5 && !oneOf(r.TypesFilter, g.GroupType) {
			continue
		}
		resp.Groups = append(resp.Groups, g)
	}
	t.reply(t.cmd.Call, resp)
}

// listed is how ListGroups shows a group.
func (g *group) listed() (protocolType, state, groupType string) {
	switch {
	case g.consumer != nil:
		return consumerProtocol, g.consumer.state(), typeConsumer
	case g.classic != nil:
		return g.classic.protocolType, g.classic.state.String(), typeClassic
	default:
		return "", stateEmpty.String(), typeClassic // offsets without members: a simple group
	}
}

// oneOf tells whether a filter lets a word pass; an empty filter lets all.
func oneOf(filter []string, word string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, word) })
}

func (t *turn) describe(r *kmsg.DescribeGroupsRequest) {
	resp := kmsg.NewPtrDescribeGroupsResponse()
	resp.Version = r.Version
	for _, id := range r.Groups {
		resp.Groups = append(resp.Groups, t.describeOne(id, r.Version))
	}
	t.reply(t.cmd.Call, resp)
}

func (t *turn) describeOne(id string, version int16) kmsg.DescribeGroupsResponseGroup {
	out := kmsg.NewDescribeGroupsResponseGroup()
	out.Group = id
	known := t.s.groups[id]
	if known == nil || known.consumer != nil {
		out.State = "Dead"
		if version >= 6 {
			out.ErrorCode = int16(wire.GroupIDNotFound)
			message := "Group " + id + " not found."
			if known != nil {
				message = "Group " + id + " is not a classic group."
			}
			out.ErrorMessage = &message
		}
		return out
	}
	g := known.classic
	if g == nil {
		out.State = stateEmpty.String()
		return out
	}
	out.State, out.ProtocolType = g.state.String(), g.protocolType
	if g.state == stateStable && g.protocol != nil {
		out.Protocol = *g.protocol
	}
	for _, m := range g.members {
		d := kmsg.DescribeGroupsResponseGroupMember{
			MemberID: m.id, InstanceID: m.instance, ClientID: m.client.ID, ClientHost: m.client.Host, ProtocolMetadata: []byte{}, MemberAssignment: []byte{},
		}
		if g.state == stateStable {
			d.ProtocolMetadata, d.MemberAssignment = m.metadata(g.protocol), m.assignment
		}
		out.Members = append(out.Members, d)
	}
	return out
}

func (t *turn) deleteGroups(r *kmsg.DeleteGroupsRequest) {
	resp := kmsg.NewPtrDeleteGroupsResponse()
	resp.Version = r.Version
	seen := map[string]bool{}
	for _, id := range r.Groups {
		if seen[id] {
			continue
		}
		seen[id] = true
		known := t.s.groups[id]
		code := wire.None
		switch {
		case known == nil:
			code = wire.GroupIDNotFound
		case !known.empty():
			code = wire.NonEmptyGroup
		case !t.end(id, known):
			code = wire.CoordinatorLoadInProgress // asked again, it goes on
		}
		resp.Groups = append(resp.Groups, kmsg.DeleteGroupsResponseGroup{Group: id, ErrorCode: int16(code)})
	}
	t.reply(t.cmd.Call, resp)
}

// empty tells whether nobody is a member, and nobody waits to be one.
func (g *group) empty() bool {
	return (g.classic == nil || g.classic.state == stateEmpty) && (g.consumer == nil || len(g.consumer.members) == 0)
}

// end writes the tombstones of a group and all that it committed, and tells whether one decision was enough for that.
func (t *turn) end(id string, g *group) bool {
	for _, key := range sortedKeys(g.offsets) {
		if t.forgotEnough() {
			return false
		}
		t.deleted(id, key, g.offsets[key].Committed)
		t.forget(id, key)
	}
	for _, key := range sortedKeys(g.unstable) {
		if _, ok := g.offsets[key]; !ok && !t.forgotEnough() {
			t.forget(id, key)
		}
	}
	if t.forgotEnough() {
		return false
	}
	t.endMembership(id, g)
	return true
}

// endMembership writes the tombstones of a group without members.
func (t *turn) endMembership(id string, g *group) {
	if g.classic != nil {
		for _, p := range g.classic.pending {
			t.disarm(TimerPending, id, p)
		}
	}
	if g.record != nil || g.classic != nil {
		t.out.Records = append(t.out.Records, &ClassicRecord{Group: id})
	}
	if g.consumer != nil {
		t.dropConsumer(g.consumer)
	}
}

func (t *turn) forget(id string, key offsetKey) {
	t.forgotten += 32 + len(id) + len(key.topic)
	t.out.Records = append(t.out.Records, &OffsetRecord{Group: id, Topic: key.topic, Partition: key.partition, ProducerID: shard.NoProducer})
}

func (t *turn) deleteOffsets(r *kmsg.OffsetDeleteRequest) {
	resp := kmsg.NewPtrOffsetDeleteResponse()
	resp.Version = r.Version
	known := t.s.groups[r.Group]
	switch {
	case !validGroup(r.Group):
		resp.ErrorCode = int16(wire.InvalidGroupID)
	case known == nil:
		resp.ErrorCode = int16(wire.GroupIDNotFound)
	case known.classic != nil && known.classic.state != stateEmpty && known.classic.protocolType != consumerProtocol:
		resp.ErrorCode = int16(wire.NonEmptyGroup) // what such members read cannot be known
	default:
		for _, topic := range r.Topics {
			out := kmsg.OffsetDeleteResponseTopic{Topic: topic.Topic}
			for _, p := range topic.Partitions {
				if t.forgotEnough() {
					resp.ErrorCode = int16(wire.CoordinatorLoadInProgress) // asked again, it goes on
					break
				}
				code := t.deleteOffset(r.Group, known, offsetKey{topic.Topic, p.Partition})
				out.Partitions = append(out.Partitions, kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition, ErrorCode: int16(code)})
			}
			resp.Topics = append(resp.Topics, out)
		}
	}
	t.reply(t.cmd.Call, resp)
}

func (t *turn) deleteOffset(id string, g *group, key offsetKey) wire.Code {
	known, committed := g.offsets[key]
	switch {
	case g.subscribed(key.topic):
		return wire.GroupSubscribedToTopic
	case committed || g.unstable[key] > 0:
		if committed {
			t.deleted(id, key, known.Committed)
		}
		t.forget(id, key)
	default:
		topic := t.cmd.Image.Topic(key.topic)
		if topic == nil || key.partition < 0 || int(key.partition) >= len(topic.Partitions) {
			return wire.UnknownTopicOrPartition
		}
	}
	return wire.None
}

// subscribed tells whether a member may be reading the topic.
func (g *group) subscribed(topic string) bool {
	if g.consumer != nil {
		return g.consumer.subscribed(topic)
	}
	return g.classic != nil && g.classic.subscribed(topic)
}
