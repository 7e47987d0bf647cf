package handler

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/wire"
)

// Kinds of endpoints that DescribeCluster can be asked for.
const brokerEndpoints = 1

func (h *Handler) describeCluster(_ context.Context, c *Call, q *kmsg.DescribeClusterRequest) *kmsg.DescribeClusterResponse {
	img := h.image()
	r := kmsg.NewPtrDescribeClusterResponse()
	r.ClusterID, r.ControllerID, r.EndpointType = img.ClusterID(), h.options.NodeID, q.EndpointType
	r.ClusterAuthorizedOperations = notAsked
	if q.IncludeClusterAuthorizedOperations {
		r.ClusterAuthorizedOperations = allClusterOperations
	}
	if q.Version >= 1 && q.EndpointType != brokerEndpoints {
		r.ErrorCode = h.code(c, wire.MismatchedEndpointType)
		r.ErrorMessage = text("this listener belongs to a broker: ask it for broker endpoints")
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

// maxDescribedPartitions bounds one answer of DescribeTopicPartitions, as max.request.partition.size.limit does in Kafka.
const maxDescribedPartitions = 2000

// describeTopicPartitions lists partitions page by page, topics in order of their names; the cursor says where the next
// page starts.
func (h *Handler) describeTopicPartitions(_ context.Context, c *Call, q *kmsg.DescribeTopicPartitionsRequest) *kmsg.DescribeTopicPartitionsResponse {
	img := h.image()
	r := kmsg.NewPtrDescribeTopicPartitionsResponse()
	page := &partitionPage{left: maxDescribedPartitions}
	if n := int(q.ResponsePartitionLimit); n > 0 {
		page.left = min(n, page.left)
	}
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
