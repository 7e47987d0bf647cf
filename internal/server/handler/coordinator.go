package handler

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
	"holdfast/internal/host/coord"
	"holdfast/internal/proto/wire"
)

// Kinds of coordinators that FindCoordinator can be asked for.
const (
	coordinatorOfGroup       = 0
	coordinatorOfTransaction = 1
	coordinatorOfShare       = 2
)

// findCoordinator tells who coordinates groups, or transactions. The first who asks has the topic of the coordinators created.
func (h *Handler) findCoordinator(ctx context.Context, c *Call, q *kmsg.FindCoordinatorRequest) *kmsg.FindCoordinatorResponse {
	keys := slices.Compact(slices.Sorted(slices.Values(q.CoordinatorKeys)))
	if q.Version < 4 {
		keys = []string{q.CoordinatorKey}
	}
	h.hold(ctx, c, len(keys)*coordinatorBytes)
	topic, bad, reason := h.coordinatorTopic(ctx, q.CoordinatorType)
	r := kmsg.NewPtrFindCoordinatorResponse()
	for _, key := range keys {
		o := kmsg.NewFindCoordinatorResponseCoordinator()
		o.Key, o.NodeID, o.Port = key, image.NoLeader, -1
		code, why := bad, reason
		if code == wire.None {
			code = h.coordinator(c, topic, key, &o)
		}
		if why == "" {
			why = code.String()
		}
		o.ErrorCode, o.ErrorMessage = h.code(c, code), &why
		r.Coordinators = append(r.Coordinators, o)
	}
	if q.Version < 4 {
		o := r.Coordinators[0]
		r.ErrorCode, r.ErrorMessage, r.NodeID, r.Host, r.Port = o.ErrorCode, o.ErrorMessage, o.NodeID, o.Host, o.Port
	}
	return r
}

// coordinatorBytes is what one coordinator takes in an answer, about, besides its key.
const coordinatorBytes = 256

// coordinatorTopic is the topic of the coordinators of a kind, which exists from then on.
func (h *Handler) coordinatorTopic(ctx context.Context, kind int8) (topic string, code wire.Code, why string) {
	var host *coord.Host
	switch kind {
	case coordinatorOfGroup:
		topic, host = image.TopicOffsets, h.options.Groups
	case coordinatorOfTransaction:
		topic, host = image.TopicTransactions, h.options.Transactions
	case coordinatorOfShare:
		return "", wire.InvalidRequest, "this version of Holdfast has no share groups"
	default:
		return "", wire.InvalidRequest, "coordinators are of groups (0), transactions (1) or share groups (2)"
	}
	if h.image().Topic(topic) != nil {
		return topic, wire.None, ""
	}
	ctx, cancel := context.WithTimeout(ctx, autoCreatePatience)
	defer cancel()
	if err := host.EnsureTopic(ctx); err != nil {
		h.options.Log.Warn("the topic of the coordinators was not created", "topic", topic, "err", err)
		return "", wire.CoordinatorNotAvailable, err.Error()
	}
	return topic, wire.None, ""
}

// coordinator fills in who leads the partition that a group, or a transactional id, belongs to.
func (h *Handler) coordinator(c *Call, topic, id string, o *kmsg.FindCoordinatorResponseCoordinator) wire.Code {
	img := h.image()
	t := img.Topic(topic)
	if t == nil {
		return wire.CoordinatorNotAvailable
	}
	leader := t.Partitions[shard.PartitionFor(id, int32(len(t.Partitions)))].Leader
	b := img.Broker(leader)
	if leader == image.NoLeader || b == nil {
		return wire.CoordinatorNotAvailable
	}
	o.NodeID = leader
	o.Host, o.Port = h.address(c, b)
	return wire.None
}
