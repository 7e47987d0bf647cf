package group

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func (t *turn) fetch(r *kmsg.OffsetFetchRequest) {
	resp := kmsg.NewPtrOffsetFetchResponse()
	resp.Version = r.Version
	stable := r.Version >= 7 && r.RequireStable
	if r.Version >= 8 {
		for i := range r.Groups {
			resp.Groups = append(resp.Groups, t.fetchGroup(&r.Groups[i], r.Version, stable))
		}
		t.reply(t.cmd.Call, resp)
		return
	}
	one := &kmsg.OffsetFetchRequestGroup{Group: r.Group, MemberEpoch: -1}
	if r.Topics != nil || r.Version < 2 {
		one.Topics = []kmsg.OffsetFetchRequestGroupTopic{} // null, every topic, came with version 2
	}
	for _, topic := range r.Topics {
		one.Topics = append(one.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: topic.Topic, Partitions: topic.Partitions})
	}
	g := t.fetchGroup(one, r.Version, stable)
	resp.ErrorCode = g.ErrorCode
	for _, topic := range g.Topics {
		old := kmsg.OffsetFetchResponseTopic{Topic: topic.Topic}
		for _, p := range topic.Partitions {
			old.Partitions = append(old.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata, ErrorCode: p.ErrorCode,
			})
		}
		resp.Topics = append(resp.Topics, old)
	}
	t.reply(t.cmd.Call, resp)
}

// fetchGroup answers for one group. A group that does not exist has committed nothing, which is no error.
func (t *turn) fetchGroup(r *kmsg.OffsetFetchRequestGroup, version int16, stable bool) kmsg.OffsetFetchResponseGroup {
	out := kmsg.OffsetFetchResponseGroup{Group: r.Group}
	g := t.s.groups[r.Group]
	if g == nil {
		g = &group{}
	}
	if code := t.mayFetch(g, r, version); code != wire.None {
		out.ErrorCode = int16(code)
		return out
	}
	topics := r.Topics
	if topics == nil {
		topics = t.committedTopics(g, version)
	}
	for _, rt := range topics {
		topic, code := t.topic(rt.Topic, rt.TopicID, version >= 10)
		if version < 10 {
			code = wire.None // a topic that is gone has nothing committed
		}
		o := kmsg.OffsetFetchResponseGroupTopic{Topic: rt.Topic, TopicID: rt.TopicID}
		for _, p := range rt.Partitions {
			o.Partitions = append(o.Partitions, t.fetchOne(g, topic, rt.Topic, p, code, stable))
		}
		out.Topics = append(out.Topics, o)
	}
	return out
}

func (t *turn) mayFetch(g *group, r *kmsg.OffsetFetchRequestGroup, version int16) wire.Code {
	if g.consumer == nil || version < 9 {
		return wire.None
	}
	if r.MemberID == nil && r.MemberEpoch < 0 {
		return wire.None
	}
	id := ""
	if r.MemberID != nil {
		id = *r.MemberID
	}
	m := g.consumer.members[id]
	switch {
	case m == nil:
		return wire.UnknownMemberID
	case m.Epoch != r.MemberEpoch && m.Classic != nil:
		return wire.IllegalGeneration
	case m.Epoch != r.MemberEpoch:
		return wire.StaleMemberEpoch
	}
	return wire.None
}

func (t *turn) fetchOne(g *group, topic *image.Topic, name string, partition int32, code wire.Code, stable bool) kmsg.OffsetFetchResponseGroupTopicPartition {
	none := ""
	out := kmsg.OffsetFetchResponseGroupTopicPartition{Partition: partition, Offset: -1, LeaderEpoch: -1, Metadata: &none, ErrorCode: int16(code)}
	if code != wire.None {
		return out
	}
	if topic != nil {
		name = topic.Name
	}
	key := offsetKey{name, partition}
	if stable && g.unstable[key] > 0 {
		out.ErrorCode = int16(wire.UnstableOffsetCommit)
		return out
	}
	if c, ok := g.offsets[key]; ok && sameTopic(c.Committed, topic) {
		out.Offset, out.LeaderEpoch, out.Metadata = c.Offset, c.LeaderEpoch, &c.Metadata
	}
	return out
}

// sameTopic tells whether an offset belongs to the topic that has the name now. A topic that was made again starts
// without offsets, also before its predecessor's are cleared away.
func sameTopic(c *Committed, topic *image.Topic) bool {
	return c.TopicID.Zero() || topic != nil && topic.ID == c.TopicID
}

// committedTopics is every topic, sorted, that the group has an offset in, or is about to have one by a transaction.
func (t *turn) committedTopics(g *group, version int16) []kmsg.OffsetFetchRequestGroupTopic {
	out := []kmsg.OffsetFetchRequestGroupTopic{}
	for _, key := range sortedKeys(g.offsets) {
		topic := t.cmd.Image.Topic(key.topic)
		if !sameTopic(g.offsets[key].Committed, topic) || topic == nil && version >= 10 {
			continue
		}
		if len(out) == 0 || out[len(out)-1].Topic != key.topic {
			rt := kmsg.OffsetFetchRequestGroupTopic{Topic: key.topic}
			if topic != nil {
				rt.TopicID = topic.ID
			}
			out = append(out, rt)
		}
		last := &out[len(out)-1]
		last.Partitions = append(last.Partitions, key.partition)
	}
	return out
}

func sortedKeys[V any](m map[offsetKey]V) []offsetKey {
	return slices.SortedFunc(maps.Keys(m), func(a, b offsetKey) int {
		return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
}
