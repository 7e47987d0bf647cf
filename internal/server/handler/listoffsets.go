package handler

import (
	"context"
	"math"

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
	code := absent(topic, in.Partition, false)
	switch {
	case q.ReplicaID >= 0:
		code = wire.ClusterAuthorizationFailed
	case in.Timestamp < 0 && q.Version < placeSince(in.Timestamp):
		code = wire.UnsupportedVersion
	case in.Timestamp == earliestPendingUpload && p != nil:
		code = wire.None // nothing is to be moved to remote storage
	case p != nil:
		var found partition.Found
		found, code = p.ListOffset(in.Timestamp, q.IsolationLevel == 1, in.CurrentLeaderEpoch)
		out.Offset, out.Timestamp, out.LeaderEpoch = found.Offset, found.TimestampMs, found.LeaderEpoch
	}
	out.ErrorCode = h.code(c, code)
	return out
}

// earliestPendingUpload asks for the first record that is yet to be moved to remote storage.
const earliestPendingUpload = -6

// placeSince is the first version in which a negative timestamp stands for a place in the log, beyond all versions
// where it stands for none.
func placeSince(timestamp int64) int16 {
	since := [...]int16{1, 1, 7, 8, 9, 11} // latest, earliest, max timestamp, earliest local, latest tiered, -6
	if timestamp < -int64(len(since)) {
		return math.MaxInt16
	}
	return since[-timestamp-1]
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
			code := absent(topic, in.Partition, false)
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
