package group

import (
	"holdfast/internal/base/event"
	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func (t *turn) commit(r *kmsg.OffsetCommitRequest) {
	resp := kmsg.NewPtrOffsetCommitResponse()
	resp.Version = r.Version
	code := t.mayCommit(committer{r.Group, r.MemberID, r.InstanceID, r.Generation, r.Version, false})
	expireMs := int64(-1)
	if r.Version >= 2 && r.Version <= 4 && r.RetentionTimeMillis >= 0 {
		expireMs = t.nowMs() + r.RetentionTimeMillis
	}
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, 0, len(r.Topics))
	size := 0
	for i := range r.Topics {
		rt := &r.Topics[i]
		topic, unknown := t.topic(rt.Topic, rt.TopicID, r.Version >= 10)
		out := kmsg.OffsetCommitResponseTopic{Topic: rt.Topic, TopicID: rt.TopicID, Partitions: make([]kmsg.OffsetCommitResponseTopicPartition, 0, len(rt.Partitions))}
		for j := range rt.Partitions {
			p := &rt.Partitions[j]
			o := offer{r.Group, topic, p.Partition, p.Offset, -1, p.Metadata, expireMs, r.MemberID}
			if r.Version >= 6 {
				o.leaderEpoch = p.LeaderEpoch
			}
			c := first(code, unknown)
			if c == wire.None {
				c = t.mayCommitPartition(r.Group, r.MemberID, r.Generation, topicPartition{topic.ID, p.Partition})
			}
			if c == wire.None {
				c = t.accept(o, shard.NoProducer, 0)
			}
			size += 96 + len(r.Group) + len(o.metadata())
			out.Partitions = append(out.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: int16(c)})
		}
		resp.Topics = append(resp.Topics, out)
	}
	if size > t.s.cfg.MaxRecordBytes && len(t.out.Records) > 0 {
		t.out = shard.Outcome{} // it must be one batch, and would not fit into one
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				resp.Topics[i].Partitions[j].ErrorCode = int16(wire.InvalidCommitOffsetSize)
			}
		}
	}
	t.reply(t.cmd.Call, resp)
}

func (t *turn) commitInTransaction(r *kmsg.TxnOffsetCommitRequest) {
	resp := kmsg.NewPtrTxnOffsetCommitResponse()
	resp.Version = r.Version
	generation := r.Generation
	if r.Version < 3 {
		generation = -1
	}
	code := t.mayCommit(committer{r.Group, r.MemberID, r.InstanceID, generation, r.Version, true})
	for i := range r.Topics {
		rt := &r.Topics[i]
		topic, unknown := t.topic(rt.Topic, [16]byte{}, false)
		out := kmsg.TxnOffsetCommitResponseTopic{Topic: rt.Topic}
		for _, p := range rt.Partitions {
			o := offer{r.Group, topic, p.Partition, p.Offset, -1, p.Metadata, -1, r.MemberID}
			if r.Version >= 2 {
				o.leaderEpoch = p.LeaderEpoch
			}
			c := first(code, unknown)
			if c == wire.None {
				c = t.accept(o, r.ProducerID, r.ProducerEpoch)
			}
			out.Partitions = append(out.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: int16(c)})
		}
		resp.Topics = append(resp.Topics, out)
	}
	t.reply(t.cmd.Call, resp)
}

func first(a, b wire.Code) wire.Code {
	if a != wire.None {
		return a
	}
	return b
}

// topic finds what a request names, by id or by name. It is nil along with the error to answer.
func (t *turn) topic(name string, id image.TopicID, byID bool) (*image.Topic, wire.Code) {
	if byID {
		if topic := t.cmd.Image.TopicByID(id); topic != nil {
			return topic, wire.None
		}
		return nil, wire.UnknownTopicID
	}
	if topic := t.cmd.Image.Topic(name); topic != nil {
		return topic, wire.None
	}
	return nil, wire.UnknownTopicOrPartition
}

// committer is who commits, as it says.
type committer struct {
	group, member string
	instance      *string
	generation    int32 // or member epoch
	version       int16
	transaction   bool
}

// mayCommit keeps those out who are no longer, or not yet, what they say. A commit is also a sign of life.
func (t *turn) mayCommit(c committer) wire.Code {
	if len(c.group) > maxName {
		return wire.InvalidGroupID
	}
	if g := t.s.consumer(c.group); g != nil {
		return t.mayCommitConsumer(g, c)
	}
	g := t.s.classic(c.group)
	switch {
	case g == nil && c.generation < 0 && c.member == "" && c.instance == nil:
		return wire.None // a simple consumer, or an administrator: such a group needs no members
	case g == nil && t.s.groups[c.group] == nil && c.generation >= 0:
		if c.version >= 9 && !c.transaction {
			return wire.GroupIDNotFound
		}
		return wire.IllegalGeneration
	case g == nil:
		g = &classic{id: c.group} // there are offsets, and no members
	}
	if c.generation < 0 && g.state == stateEmpty {
		return wire.None
	}
	if c.generation >= 0 || c.member != "" || c.instance != nil {
		if code := g.check(c.member, c.instance); code != wire.None {
			return code
		}
		if c.generation != g.generation {
			return wire.IllegalGeneration
		}
	} else if !c.transaction && g.state != stateEmpty {
		return wire.UnknownMemberID
	}
	if !c.transaction && g.state == stateCompleting {
		return wire.RebalanceInProgress
	}
	if m := g.member(c.member); m != nil && !c.transaction {
		t.arm(TimerSession, g.id, m.id, m.session)
	}
	return wire.None
}

// offer is one offset that somebody wants committed.
type offer struct {
	group       string
	topic       *image.Topic
	partition   int32
	offset      int64
	leaderEpoch int32
	text        *string
	expireMs    int64
	member      string
}

func (o *offer) metadata() string {
	if o.text == nil {
		return ""
	}
	return *o.text
}

func (t *turn) accept(o offer, producer int64, epoch int16) wire.Code {
	switch {
	case o.partition < 0 || int(o.partition) >= len(o.topic.Partitions):
		return wire.UnknownTopicOrPartition
	case len(o.metadata()) > t.s.cfg.OffsetMetadataMax, o.expireMs >= 0 && len(o.metadata()) > maxName:
		return wire.OffsetMetadataTooLarge
	}
	t.tellJump(o)
	t.out.Records = append(t.out.Records, &OffsetRecord{
		Group: o.group, Topic: o.topic.Name, Partition: o.partition, ProducerID: producer, ProducerEpoch: epoch,
		Committed: &Committed{
			Offset: o.offset, LeaderEpoch: o.leaderEpoch, Metadata: o.metadata(), CommitMs: t.nowMs(), ExpireMs: o.expireMs, TopicID: o.topic.ID,
		},
	})
	return wire.None
}

// tellJump makes an event of a commit that repeats what was read, or belongs to a topic the one before did not.
func (t *turn) tellJump(o offer) {
	g := t.s.groups[o.group]
	if g == nil {
		return
	}
	before, ok := g.offsets[offsetKey{o.topic.Name, o.partition}]
	if !ok {
		return
	}
	kind := event.KindCommitMovedBack
	switch {
	case !before.TopicID.Zero() && before.TopicID != o.topic.ID:
		kind = event.KindCommitToRecreated
	case o.offset >= before.Offset:
		return
	}
	t.tell(event.New(kind, t.now, 0).In(o.topic.Name, o.partition).Of(o.group).
		Text("client_id", t.cmd.Client.ID).Text("client_host", t.host()).Text("member", o.member).
		Number("before", before.Offset).Number("offset", o.offset))
}

func (s *Shard) applyOffset(at int64, r *OffsetRecord) {
	g := s.at(r.Group)
	key := offsetKey{r.Topic, r.Partition}
	switch {
	case r.Committed == nil:
		delete(g.offsets, key)
		s.dropPending(r.Group, key)
		s.tidy(r.Group)
	case r.ProducerID != shard.NoProducer:
		s.open[r.ProducerID] = append(s.open[r.ProducerID], pendingOffset{r, at})
		g.unstable[key]++
	default:
		g.offsets[key] = stored{r.Committed, at}
	}
}

// dropPending takes a deleted offset out of the transactions that have not ended: they shall not bring it back.
func (s *Shard) dropPending(id string, key offsetKey) {
	g := s.groups[id]
	if g.unstable[key] == 0 {
		return
	}
	for producer, pending := range s.open { // order-free
		kept := pending[:0:0]
		for _, p := range pending {
			if p.record.Group != id || p.record.Topic != key.topic || p.record.Partition != key.partition {
				kept = append(kept, p)
			}
		}
		if s.open[producer] = kept; len(kept) == 0 {
			delete(s.open, producer)
		}
	}
	delete(g.unstable, key)
}

// applyMarker ends a transaction. An offset that was committed outside of it meanwhile stays: it is the later word.
func (s *Shard) applyMarker(m *shard.Marker) {
	for _, p := range s.open[m.ProducerID] {
		g, key := s.at(p.record.Group), offsetKey{p.record.Topic, p.record.Partition}
		if before, ok := g.offsets[key]; m.Commit && (!ok || before.at < p.at) {
			g.offsets[key] = stored{p.record.Committed, p.at}
		}
		if g.unstable[key]--; g.unstable[key] <= 0 {
			delete(g.unstable, key)
		}
		s.tidy(p.record.Group)
	}
	delete(s.open, m.ProducerID)
}
