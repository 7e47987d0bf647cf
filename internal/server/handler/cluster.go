package handler

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/wire"
)

// Kinds of endpoints that DescribeCluster can be asked for.
const (
	brokerEndpoints     = 1
	controllerEndpoints = 2
)

func (h *Handler) describeCluster(_ context.Context, c *Call, q *kmsg.DescribeClusterRequest) *kmsg.DescribeClusterResponse {
	img := h.image()
	r := kmsg.NewPtrDescribeClusterResponse()
	r.ClusterID, r.ControllerID, r.EndpointType = img.ClusterID(), h.options.NodeID, q.EndpointType
	r.ClusterAuthorizedOperations = notAsked
	if q.IncludeClusterAuthorizedOperations {
		r.ClusterAuthorizedOperations = allClusterOperations
	}
	switch {
	case q.EndpointType == controllerEndpoints:
		r.ErrorCode = h.code(c, wire.MismatchedEndpointType)
		r.ErrorMessage = text("this listener belongs to a broker: ask it for broker endpoints")
		return r
	case q.EndpointType != brokerEndpoints:
		r.ErrorCode = h.code(c, wire.UnsupportedEndpointType)
		r.ErrorMessage = text("endpoints are of brokers (1) or controllers (2)")
		return r
	}
	for b := range img.Brokers() {
		host, port := h.address(c, b)
		out := kmsg.NewDescribeClusterResponseBroker()
		out.NodeID, out.Host, out.Port, out.Rack = b.ID, host, port, text(b.Rack)
		r.Brokers = append(r.Brokers, out)
	}
	h.check(c.header.Key, wire.None)
	return r
}

// describeTopicPartitions lists partitions page by page, topics in order of their names; the cursor says where the next
// page starts.
func (h *Handler) describeTopicPartitions(ctx context.Context, c *Call, q *kmsg.DescribeTopicPartitionsRequest) *kmsg.DescribeTopicPartitionsResponse {
	img := h.image()
	r := kmsg.NewPtrDescribeTopicPartitionsResponse()
	most := h.options.Config().Int("max.request.partition.size.limit")
	page := &partitionPage{left: max(min(int(q.ResponsePartitionLimit), most), 1)}
	h.hold(ctx, c, len(q.Topics)*topicBytes+page.left*(partitionAnswerBytes+topicBytes))
	if q.Cursor != nil {
		page.fromTopic, page.fromPartition = q.Cursor.Topic, q.Cursor.Partition
	}
	if len(q.Topics) == 0 {
		for t := range img.TopicsFrom(page.fromTopic) {
			page.add(r, t)
			if r.NextCursor != nil {
				break
			}
		}
		return r
	}
	for _, name := range sortedNames(q.Topics) {
		if r.NextCursor != nil {
			break
		}
		if name < page.fromTopic {
			continue
		}
		if t := img.Topic(name); t != nil {
			page.add(r, t)
			continue
		}
		out := kmsg.NewDescribeTopicPartitionsResponseTopic()
		out.Topic, out.AuthorizedOperations = ptr(name), notAsked
		out.ErrorCode = h.code(c, wire.UnknownTopicOrPartition)
		r.Topics = append(r.Topics, out)
	}
	return r
}
