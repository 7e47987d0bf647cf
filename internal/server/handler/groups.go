package handler

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/group"
	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"
)

// who is the client as the coordinator notes it.
func (c *Call) who() shard.Client {
	return shard.Client{ID: string(c.header.ClientID), Host: "/" + c.Client.Address.Addr().String()}
}

// ofGroup serves an API whose requests name one group: its coordinator decides.
func ofGroup[Q kmsg.Request](h *Handler, id func(Q) string) func(context.Context, *Call, kmsg.Request) kmsg.Response {
	return func(ctx context.Context, c *Call, request kmsg.Request) kmsg.Response {
		return coordinated(ctx, h, c, h.options.Groups.Ask(ctx, id(request.(Q)), request, c.who()))
	}
}

// waiting serves JoinGroup and SyncGroup, which may wait as long as other members take. A request that waits holds
// nothing but itself, and ends with its connection.
func waiting[Q kmsg.Request](h *Handler, id func(Q) string) func(context.Context, *Call, kmsg.Request) kmsg.Response {
	return func(ctx context.Context, c *Call, request kmsg.Request) kmsg.Response {
		who := c.who()
		taken, ok := h.parked.TakeFreely(int64(c.size))
		defer h.parked.Give(taken)
		if !ok {
			return coordinated(ctx, h, c, group.Refuse(request, wire.CoordinatorNotAvailable))
		}
		h.shed(c)
		ctx, cancel := c.Client.whileConnected(ctx)
		defer cancel()
		return coordinated(ctx, h, c, h.options.Groups.Ask(ctx, id(request.(Q)), request, who))
	}
}

// Waiting is how many bytes of requests wait for other members of their groups.
func (h *Handler) Waiting() int64 { return h.parked.Used() }

// shed gives back the frame of a request that was decoded, and what was taken for working on it, before it waits.
func (h *Handler) shed(c *Call) {
	c.header.ClientID = append([]byte(nil), c.header.ClientID...)
	c.body = nil
	h.buffers.Put(c.Frame)
	c.Frame = nil
	h.options.Frames.Give(c.Weight)
	h.options.Work.Give(c.Work)
	c.Weight, c.Work = 0, 0
}

// coordinated makes an answer of a coordinator that of the call: its errors are counted, and what is large is charged.
func coordinated[R kmsg.Response](ctx context.Context, h *Handler, c *Call, r R) R {
	size := 0
	for code, bytes := range parts(r) {
		h.check(c.header.Key, wire.Code(code))
		size += bytes
	}
	if size > largeAnswer {
		h.hold(ctx, c, size)
	}
	return r
}

const largeAnswer = 64 << 10 // bytes; what is smaller is within what a request is charged for

// byShard splits group ids by who coordinates them. An id that is there again is left out.
func (h *Handler) byShard(ids []string) [][]string {
	var shards [][]string
	at := map[int32]int{}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		shard := h.options.Groups.ShardFor(id)
		i, ok := at[shard]
		if !ok {
			i = len(shards)
			at[shard] = i
			shards = append(shards, nil)
		}
		shards[i] = append(shards[i], id)
	}
	return shards
}

// groupOperations is what a client may do with a group that is described to it.
func groupOperations(asked bool, code int16) int32 {
	if asked && code == 0 {
		return allGroupOperations
	}
	return notAsked
}

func (h *Handler) describeGroups(ctx context.Context, c *Call, q *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse {
	r := kmsg.NewPtrDescribeGroupsResponse()
	for _, ids := range h.byShard(q.Groups) {
		part := *q
		part.Groups = ids
		r.Groups = append(r.Groups, h.options.Groups.Ask(ctx, ids[0], &part, c.who()).(*kmsg.DescribeGroupsResponse).Groups...)
	}
	for i := range r.Groups {
		r.Groups[i].AuthorizedOperations = groupOperations(q.IncludeAuthorizedOperations, r.Groups[i].ErrorCode)
	}
	return coordinated(ctx, h, c, r)
}

func (h *Handler) consumerGroupDescribe(ctx context.Context, c *Call, q *kmsg.ConsumerGroupDescribeRequest) *kmsg.ConsumerGroupDescribeResponse {
	r := kmsg.NewPtrConsumerGroupDescribeResponse()
	for _, ids := range h.byShard(q.Groups) {
		part := *q
		part.Groups = ids
		r.Groups = append(r.Groups, h.options.Groups.Ask(ctx, ids[0], &part, c.who()).(*kmsg.ConsumerGroupDescribeResponse).Groups...)
	}
	for i := range r.Groups {
		r.Groups[i].AuthorizedOperations = groupOperations(q.IncludeAuthorizedOperations, r.Groups[i].ErrorCode)
	}
	return coordinated(ctx, h, c, r)
}

func (h *Handler) deleteGroups(ctx context.Context, c *Call, q *kmsg.DeleteGroupsRequest) *kmsg.DeleteGroupsResponse {
	r := kmsg.NewPtrDeleteGroupsResponse()
	for _, ids := range h.byShard(q.Groups) {
		part := *q
		part.Groups = ids
		r.Groups = append(r.Groups, h.options.Groups.Ask(ctx, ids[0], &part, c.who()).(*kmsg.DeleteGroupsResponse).Groups...)
	}
	return coordinated(ctx, h, c, r)
}

// listGroups lists the groups that this broker coordinates. As long as one of its shards is loading, the list would have
// gaps, and there is none.
func (h *Handler) listGroups(ctx context.Context, c *Call, q *kmsg.ListGroupsRequest) *kmsg.ListGroupsResponse {
	r := kmsg.NewPtrListGroupsResponse()
	for _, part := range h.options.Groups.AskAll(ctx, q, c.who()) {
		of := part.(*kmsg.ListGroupsResponse)
		switch wire.Code(of.ErrorCode) {
		case wire.None:
			r.Groups = append(r.Groups, of.Groups...)
		case wire.NotCoordinator: // it went elsewhere while we asked
		default:
			r.Groups, r.ErrorCode = nil, of.ErrorCode
			return coordinated(ctx, h, c, r)
		}
	}
	return coordinated(ctx, h, c, r)
}
