package handler

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/group"
	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"
)

// Kinds of coordinators that FindCoordinator can be asked for.
const (
	coordinatorOfGroup       = 0
	coordinatorOfTransaction = 1
	coordinatorOfShare       = 2
)

// findCoordinator tells who coordinates groups. The first who asks has the topic of the coordinators created.
func (h *Handler) findCoordinator(ctx context.Context, c *Call, q *kmsg.FindCoordinatorRequest) *kmsg.FindCoordinatorResponse {
	keys := slices.Compact(slices.Sorted(slices.Values(q.CoordinatorKeys)))
	if q.Version < 4 {
		keys = []string{q.CoordinatorKey}
	}
	h.hold(ctx, c, len(keys)*coordinatorBytes)
	r := kmsg.NewPtrFindCoordinatorResponse()
	for _, key := range keys {
		o := kmsg.NewFindCoordinatorResponseCoordinator()
		o.Key, o.NodeID, o.Port = key, image.NoLeader, -1
		code, why := h.whyNoCoordinator(ctx, q.CoordinatorType)
		if code == wire.None {
			code = h.coordinator(c, key, &o)
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

// whyNoCoordinator makes sure that there is a topic of coordinators of the kind.
func (h *Handler) whyNoCoordinator(ctx context.Context, kind int8) (wire.Code, string) {
	switch kind {
	case coordinatorOfGroup:
	case coordinatorOfTransaction:
		return wire.InvalidRequest, "this version of Holdfast has no transactions"
	case coordinatorOfShare:
		return wire.InvalidRequest, "this version of Holdfast has no share groups"
	default:
		return wire.InvalidRequest, "coordinators are of groups (0), transactions (1) or share groups (2)"
	}
	if h.image().Topic(image.TopicOffsets) != nil {
		return wire.None, ""
	}
	if err := h.options.Groups.EnsureTopic(ctx); err != nil {
		h.options.Log.Warn("the topic of the group coordinators was not created", "topic", image.TopicOffsets, "err", err)
		return wire.CoordinatorNotAvailable, err.Error()
	}
	return wire.None, ""
}

// coordinator fills in who leads the partition that a group belongs to.
func (h *Handler) coordinator(c *Call, id string, o *kmsg.FindCoordinatorResponseCoordinator) wire.Code {
	img := h.image()
	t := img.Topic(image.TopicOffsets)
	if t == nil {
		return wire.CoordinatorNotAvailable
	}
	leader := t.Partitions[group.PartitionFor(id, int32(len(t.Partitions)))].Leader
	b := img.Broker(leader)
	if leader == image.NoLeader || b == nil {
		return wire.CoordinatorNotAvailable
	}
	o.NodeID = leader
	o.Host, o.Port = h.address(c, b)
	return wire.None
}
