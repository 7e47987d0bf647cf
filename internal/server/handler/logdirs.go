package handler

import (
	"cmp"
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/host/partition"
	"holdfast/internal/proto/wire"
)

func (h *Handler) describeLogDirs(ctx context.Context, c *Call, q *kmsg.DescribeLogDirsRequest) *kmsg.DescribeLogDirsResponse {
	if img := h.image(); q.Topics == nil {
		h.hold(ctx, c, img.TopicCount()*topicBytes+img.PartitionCount()*partitionAnswerBytes)
	}
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir = h.options.DataDir
	dir.TotalBytes, dir.UsableBytes = -1, -1
	if free, total, err := h.options.Partitions.Space(); err == nil {
		dir.TotalBytes, dir.UsableBytes = total, free
	}
	code := wire.None
	if h.options.Partitions.Failed() != nil {
		code = wire.KafkaStorageError
	}
	dir.ErrorCode = h.code(c, code)
	for _, t := range h.logDirTopics(q) {
		if out, ok := describeLogDirTopic(t); ok {
			dir.Topics = append(dir.Topics, out)
		}
	}
	r := kmsg.NewPtrDescribeLogDirsResponse()
	r.Dirs = append(r.Dirs, dir)
	return r
}

// describeLogDirTopic describes a topic's replicas here, those that serve with Kafka's fields, all with ours. A partition that is
// not served is in ours alone; ok is false where there is none at all.
func describeLogDirTopic(t askedTopic) (out kmsg.DescribeLogDirsResponseDirTopic, ok bool) {
	out = kmsg.NewDescribeLogDirsResponseDirTopic()
	out.Topic = t.topic.Name
	var states []wire.ReplicaState
	for i, p := range t.topic.Partitions() {
		index := int32(i)
		if t.only != nil && !t.only[index] {
			continue
		}
		if p == nil {
			if why := t.topic.Offline(index); why != nil {
				states = append(states, wire.ReplicaState{Partition: index, End: -1, Offline: why.Error()})
			}
			continue
		}
		o := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		o.Partition, o.Size = index, p.Size()
		out.Partitions = append(out.Partitions, o)
		states = append(states, replicaState(p))
	}
	wire.SetReplicaStates(&out, states)
	return out, len(states) > 0
}

func replicaState(p *partition.Partition) wire.ReplicaState {
	s := wire.ReplicaState{Partition: p.Index, End: p.LogEnd()}
	for i, d := range p.Damaged() {
		if i == wire.MaxDamagedRanges {
			s.More = len(p.Damaged()) - i
			break
		}
		s.Damaged = append(s.Damaged, wire.DamagedRange{
			First: d.From, Last: d.To - 1, File: p.SegmentFile(d.Segment), Position: d.Position, Until: d.Until, Reason: d.Reason,
		})
	}
	return s
}

// askedTopic is a topic of a DescribeLogDirs request; only is nil where all its partitions are asked for.
type askedTopic struct {
	topic *partition.Topic
	only  map[int32]bool
}

func (h *Handler) logDirTopics(q *kmsg.DescribeLogDirsRequest) (asked []askedTopic) {
	if q.Topics == nil {
		for _, t := range h.options.Partitions.Topics() {
			asked = append(asked, askedTopic{topic: t})
		}
		slices.SortFunc(asked, func(a, b askedTopic) int { return cmp.Compare(a.topic.Name, b.topic.Name) })
		return asked
	}
	for i := range q.Topics {
		if t := h.topic([]byte(q.Topics[i].Topic), [16]byte{}, false); t != nil {
			only := map[int32]bool{}
			for _, p := range q.Topics[i].Partitions {
				only[p] = true
			}
			asked = append(asked, askedTopic{t, only})
		}
	}
	return asked
}
