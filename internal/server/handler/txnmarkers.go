package handler

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/event"
	"holdfast/internal/core/image"
	"holdfast/internal/core/txn"
	"holdfast/internal/host/partition"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
)

// markerPatience bounds how long a marker waits to be committed.
const markerPatience = 30 * time.Second

// writeTxnMarkers serves the administrator's last resort: it aborts a transaction in a partition where no coordinator
// would end it, a hanging one. Coordinators of this broker write their markers themselves; nobody else may commit, or end
// what a coordinator knows of.
func (h *Handler) writeTxnMarkers(ctx context.Context, c *Call, q *kmsg.WriteTxnMarkersRequest) *kmsg.WriteTxnMarkersResponse {
	ctx, cancel := context.WithTimeout(ctx, markerPatience)
	defer cancel()
	r := kmsg.NewPtrWriteTxnMarkersResponse()
	for i := range q.Markers {
		m := &q.Markers[i]
		known, code := h.knownTo(ctx, c, m.ProducerID)
		if m.Committed && code == wire.None {
			code = wire.ClusterAuthorizationFailed
		}
		out := kmsg.WriteTxnMarkersResponseMarker{ProducerID: m.ProducerID}
		for _, t := range m.Topics {
			topic := kmsg.WriteTxnMarkersResponseMarkerTopic{Topic: t.Topic}
			for _, index := range t.Partitions {
				p := txn.Partition{Topic: t.Topic, Index: index}
				one := code
				if one == wire.None && slices.Contains(known, p) {
					one = wire.ClusterAuthorizationFailed
				}
				if one == wire.None {
					one = h.abortHanging(ctx, c, m, p)
				}
				topic.Partitions = append(topic.Partitions, kmsg.WriteTxnMarkersResponseMarkerTopicPartition{Partition: index, ErrorCode: h.code(c, one)})
			}
			out.Topics = append(out.Topics, topic)
		}
		r.Markers = append(r.Markers, out)
	}
	return r
}

// knownTo lists the partitions of the transaction that a coordinator knows a producer to have. A coordinator that
// cannot be asked is an error: then nobody can tell what is hanging.
func (h *Handler) knownTo(ctx context.Context, c *Call, producerID int64) (known []txn.Partition, code wire.Code) {
	topic := h.image().Topic(image.TopicTransactions)
	if topic == nil {
		return nil, wire.None
	}
	for _, p := range topic.Partitions {
		if p.Leader != h.options.NodeID {
			return nil, wire.ClusterAuthorizationFailed
		}
	}
	q := kmsg.NewPtrListTransactionsRequest()
	q.ProducerIDFilters = []int64{producerID}
	for _, part := range h.options.Transactions.AskAll(ctx, q, c.who()) {
		of := part.(*kmsg.ListTransactionsResponse)
		if of.ErrorCode != 0 {
			return nil, wire.CoordinatorNotAvailable
		}
		for i := range of.TransactionStates {
			d := kmsg.NewPtrDescribeTransactionsRequest()
			d.TransactionalIDs = []string{of.TransactionStates[i].TransactionalID}
			state := h.options.Transactions.Ask(ctx, d.TransactionalIDs[0], d, c.who()).(*kmsg.DescribeTransactionsResponse).TransactionStates[0]
			if state.ErrorCode != 0 {
				return nil, wire.CoordinatorNotAvailable
			}
			for _, t := range state.Topics {
				for _, index := range t.Partitions {
					known = append(known, txn.Partition{Topic: t.Topic, Index: index})
				}
			}
		}
	}
	return known, wire.None
}

// abortHanging aborts what a producer has open in a partition, if anything.
func (h *Handler) abortHanging(ctx context.Context, c *Call, m *kmsg.WriteTxnMarkersRequestMarker, p txn.Partition) wire.Code {
	topic := h.options.Partitions.Topic([]byte(p.Topic))
	part := h.partition(topic, p.Index)
	if part == nil {
		return absent(topic, p.Index, false)
	}
	open, ok := part.Open(m.ProducerID)
	switch {
	case !ok:
		return wire.None
	case open.Epoch != m.ProducerEpoch:
		return wire.InvalidProducerEpoch
	case m.CoordinatorEpoch < open.CoordinatorEpoch:
		return wire.TransactionCoordinatorFenced
	}
	marker := record.Marker{ProducerID: m.ProducerID, ProducerEpoch: open.Epoch, CoordinatorEpoch: max(open.CoordinatorEpoch, 0), TimestampMs: h.now().UnixMilli()}
	code := h.appendMarker(ctx, part, marker)
	if code == wire.None {
		who := c.who()
		h.options.Events.Emit(event.New(event.KindHangingAborted, h.now(), h.options.NodeID).In(p.Topic, p.Index).
			Text("client_id", who.ID).Text("client_host", who.Host).
			Number("producer_id", m.ProducerID).Number("epoch", int64(open.Epoch)).Number("offset", open.TxnFirstOffset))
	}
	return code
}

func (h *Handler) appendMarker(ctx context.Context, part *partition.Partition, m record.Marker) wire.Code {
	if part.Topic.Name == image.TopicOffsets {
		return h.options.Groups.Mark(ctx, part.Index, m)
	}
	var commit partition.Commit
	var result wire.ProducePartitionResult
	commit.Begin(1)
	part.AppendMarker(m, false, h.now(), &commit, &result)
	if !commit.Seal() {
		commit.Wait(markerPatience)
	}
	return result.Code
}
