package handler

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/event"
	"holdfast/internal/proto/wire"
)

// deleteRecords moves log starts up. The new start is on stable storage before it is answered, so that what was deleted
// does not come back with a crash.
func (h *Handler) deleteRecords(_ context.Context, c *Call, q *kmsg.DeleteRecordsRequest) *kmsg.DeleteRecordsResponse {
	r := kmsg.NewPtrDeleteRecordsResponse()
	for i := range q.Topics {
		t := &q.Topics[i]
		topic := h.topic([]byte(t.Topic), [16]byte{}, false)
		out := kmsg.NewDeleteRecordsResponseTopic()
		out.Topic = t.Topic
		for _, in := range t.Partitions {
			o := kmsg.NewDeleteRecordsResponseTopicPartition()
			o.Partition, o.LowWatermark = in.Partition, -1
			code := absent(topic, in.Partition, false)
			if p := h.partition(topic, in.Partition); p != nil {
				var from int64
				from, o.LowWatermark, code = p.DeleteRecords(in.Offset)
				if code == wire.None && from < o.LowWatermark {
					h.options.Events.Emit(h.event(event.KindRecordsDeleted, c).In(t.Topic, in.Partition).
						Number("first", from).Number("before", o.LowWatermark))
				}
			}
			o.ErrorCode = h.code(c, code)
			out.Partitions = append(out.Partitions, o)
		}
		r.Topics = append(r.Topics, out)
	}
	return r
}
