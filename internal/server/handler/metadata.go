package handler

import (
	"context"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/controller"
	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"
)

// Operations that are allowed as long as nothing forbids any, as bits of Kafka's ACL operations.
const (
	allTopicOperations   = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	allGroupOperations   = 1<<3 | 1<<6 | 1<<8 | 1<<10 | 1<<11
	allClusterOperations = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
	notAsked             = math.MinInt32
)

func (h *Handler) metadata(ctx context.Context, c *Call, q *kmsg.MetadataRequest) *kmsg.MetadataResponse {
	q.Topics = distinct(q.Topics)
	img := h.image()
	if missing := h.toCreate(img, q); len(missing) > 0 {
		h.autoCreate(ctx, missing)
		img = h.image()
	}
	h.hold(ctx, c, metadataSize(img, q))
	r := kmsg.NewPtrMetadataResponse()
	r.ClusterID = ptr(img.ClusterID())
	r.ControllerID = h.options.NodeID
	r.AuthorizedOperations = notAsked
	if q.IncludeClusterAuthorizedOperations {
		r.AuthorizedOperations = allClusterOperations
	}
	for b := range img.Brokers() {
		host, port := h.address(c, b)
		r.Brokers = append(r.Brokers, kmsg.MetadataResponseBroker{NodeID: b.ID, Host: host, Port: port, Rack: text(b.Rack)})
	}
	h.metadataTopics(c, img, q, r)
	if q.IncludeTopicAuthorizedOperations {
		for i := range r.Topics {
			r.Topics[i].AuthorizedOperations = allTopicOperations
		}
	}
	return r
}

// distinct drops topics that are asked for again. So an answer is never larger than that about all topics.
func distinct(topics []kmsg.MetadataRequestTopic) []kmsg.MetadataRequestTopic {
	if len(topics) < 2 {
		return topics
	}
	type asked struct {
		name string
		id   [16]byte
	}
	seen := make(map[asked]bool, len(topics))
	return slices.DeleteFunc(topics, func(t kmsg.MetadataRequestTopic) bool {
		key := asked{id: t.TopicID}
		if t.Topic != nil {
			key = asked{name: *t.Topic}
		}
		again := seen[key]
		seen[key] = true
		return again
	})
}

// What a topic and a partition take in an answer, about, decoded and encoded together.
const (
	topicBytes            = 256
	partitionAnswerBytes  = 256
	describedConfigsBytes = 32 << 10 // all settings of one resource
)

func metadataSize(img *image.Image, q *kmsg.MetadataRequest) int {
	if wantsAll(q) {
		return img.TopicCount()*topicBytes + img.PartitionCount()*partitionAnswerBytes
	}
	size := len(q.Topics) * topicBytes
	for i := range q.Topics {
		if name := q.Topics[i].Topic; name != nil {
			if t := img.Topic(*name); t != nil {
				size += len(t.Partitions) * partitionAnswerBytes
			}
		} else if t := img.TopicByID(q.Topics[i].TopicID); t != nil {
			size += len(t.Partitions) * partitionAnswerBytes
		}
	}
	return size
}

// wantsAll: null asks for all topics, and in version 0 an empty list does.
func wantsAll(q *kmsg.MetadataRequest) bool {
	return q.Topics == nil || q.Version == 0 && len(q.Topics) == 0
}

// metadataTopics answers the topics that were asked for.
func (h *Handler) metadataTopics(c *Call, img *image.Image, q *kmsg.MetadataRequest, r *kmsg.MetadataResponse) {
	if wantsAll(q) {
		for t := range img.Topics() {
			r.Topics = append(r.Topics, h.metadataTopic(t))
		}
		return
	}
	for i := range q.Topics {
		r.Topics = append(r.Topics, h.metadataOf(c, img, &q.Topics[i]))
	}
}

func (h *Handler) metadataOf(c *Call, img *image.Image, in *kmsg.MetadataRequestTopic) kmsg.MetadataResponseTopic {
	var t *image.Topic
	code := wire.UnknownTopicOrPartition
	switch {
	case in.Topic != nil:
		if t = img.Topic(*in.Topic); t == nil && !controller.ValidTopicName(*in.Topic) {
			code = wire.InvalidTopicException
		}
	default:
		t = img.TopicByID(in.TopicID)
		code = wire.UnknownTopicID
	}
	if t != nil {
		h.check(c.header.Key, wire.None)
		return h.metadataTopic(t)
	}
	out := kmsg.NewMetadataResponseTopic()
	out.Topic, out.TopicID, out.AuthorizedOperations = in.Topic, in.TopicID, notAsked
	if c.header.Version < 12 && out.Topic == nil {
		out.Topic = ptr("")
	}
	out.ErrorCode = h.code(c, code)
	return out
}

func (h *Handler) metadataTopic(t *image.Topic) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	out.Topic, out.TopicID, out.IsInternal, out.AuthorizedOperations = ptr(t.Name), t.ID, image.Internal(t.Name), notAsked
	out.Partitions = make([]kmsg.MetadataResponseTopicPartition, len(t.Partitions))
	for i, p := range t.Partitions {
		o := &out.Partitions[i]
		*o = kmsg.NewMetadataResponseTopicPartition()
		o.Partition, o.Leader, o.LeaderEpoch, o.Replicas, o.ISR = int32(i), p.Leader, p.LeaderEpoch, p.Replicas, p.ISR
		if p.Leader == h.options.NodeID && h.offline(t, int32(i)) {
			o.Leader, o.OfflineReplicas = image.NoLeader, []int32{h.options.NodeID}
		}
		if o.Leader == image.NoLeader {
			o.ErrorCode = int16(wire.LeaderNotAvailable)
		}
	}
	return out
}

// offline reports whether this node does not serve a partition that it leads.
func (h *Handler) offline(t *image.Topic, index int32) bool {
	local := h.options.Partitions.TopicByID(t.ID)
	return local != nil && local.Offline(index) != nil
}

// toCreate lists the topics that a request asks for, that do not exist, and that may be created by asking.
func (h *Handler) toCreate(img *image.Image, q *kmsg.MetadataRequest) (names []string) {
	if q.Version >= 4 && !q.AllowAutoTopicCreation || !h.options.Config().Bool("auto.create.topics.enable") {
		return nil
	}
	for i := range q.Topics {
		name := q.Topics[i].Topic
		if name != nil && !image.Internal(*name) && img.Topic(*name) == nil && controller.ValidTopicName(*name) {
			names = append(names, *name)
		}
	}
	return names
}

// autoCreate creates topics because a client named them. Where that fails the client is answered that they do not
// exist, and asks again.
func (h *Handler) autoCreate(ctx context.Context, names []string) {
	ctx, cancel := context.WithTimeout(ctx, autoCreatePatience)
	defer cancel()
	if _, err := h.propose(ctx, &controller.AutoCreateTopics{Names: names}); err != nil {
		h.options.Log.Warn("topics not created on first use", "topics", names, "err", err)
	}
}

// address is where a client reaches a broker: the endpoint of the listener that the client itself came in on. Where
// that listens on every address of the machine and nothing is advertised, it is the address the client reached.
func (h *Handler) address(c *Call, b *image.Broker) (host string, port int32) {
	for _, e := range b.Endpoints {
		if e.Listener != c.Client.Listener {
			continue
		}
		host, port = e.Host, int32(e.Port)
		if host == "" && b.ID == h.options.NodeID {
			host = c.Client.Reached.Addr().String()
		}
	}
	return host, port
}
