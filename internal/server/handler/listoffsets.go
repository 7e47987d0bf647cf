package handler

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/host/partition"
	"holdfast/internal/proto/wire"
)

func (h *Handler) listOffsets(_ context.Context, c *Call, q *kmsg.ListOffsetsRequest) *kmsg.ListOffsetsResponse {
	r := kmsg.NewPtrListOffsetsResponse()
	for i := range q.Topics {
		t := &q.Topics[i]
		topic := h.topic([]byte(t.Topic), [16]byte{}, false)
		out := kmsg.NewListOffsetsResponseTopic()
		out.Topic = t.Topic
		for j := range t.Partitions {
			out.Partitions = append(out.Partitions, h.listOffset(c, q, topic, &t.Partitions[j]))
		}
		r.Topics = append(r.Topics, out)
	}
	return r
}

func (h *Handler) listOffset(c *Call, q *kmsg.ListOffsetsRequest, topic *partition.Topic, in *kmsg.ListOffsetsRequestTopicPartition) kmsg.ListOffsetsResponseTopicPartition {
	out := kmsg.NewListOffsetsResponseTopicPartition()
	out.Partition, out.Offset, out.Timestamp, out.LeaderEpoch = in.Partition, -1, -1, -1
	p := h.partition(topic, in.Partition)
	code := wire.UnknownTopicOrPartition
	switch {
	case q.ReplicaID >= 0:
		code = wire.ClusterAuthorizationFailed
	case p != nil:
		var found partition.Found
		found, code = p.ListOffset(in.Timestamp, q.IsolationLevel == 1, in.CurrentLeaderEpoch)
		out.Offset, out.Timestamp, out.LeaderEpoch = found.Offset, found.TimestampMs, found.LeaderEpoch
	}
	out.ErrorCode = h.code(c, code)
	return out
}

func (h *Handler) offsetForLeaderEpoch(_ context.Context, c *Call, q *kmsg.OffsetForLeaderEpochRequest) *kmsg.OffsetForLeaderEpochResponse {
	r := kmsg.NewPtrOffsetForLeaderEpochResponse()
	for i := range q.Topics {
		t := &q.Topics[i]
		topic := h.topic([]byte(t.Topic), [16]byte{}, false)
		out := kmsg.NewOffsetForLeaderEpochResponseTopic()
		out.Topic = t.Topic
		for _, in := range t.Partitions {
			o := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			o.Partition = in.Partition
			code := wire.UnknownTopicOrPartition
			if p := h.partition(topic, in.Partition); p != nil {
				o.LeaderEpoch, o.EndOffset, code = p.EpochEnd(in.LeaderEpoch, in.CurrentLeaderEpoch)
			}
			o.ErrorCode = h.code(c, code)
			out.Partitions = append(out.Partitions, o)
		}
		r.Topics = append(r.Topics, out)
	}
	return r
}
