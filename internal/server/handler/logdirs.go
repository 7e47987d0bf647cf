package handler

import (
	"cmp"
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/host/partition"
	"holdfast/internal/proto/wire"
)

func (h *Handler) describeLogDirs(ctx context.Context, c *Call, q *kmsg.DescribeLogDirsRequest) *kmsg.DescribeLogDirsResponse {
	if img := h.image(); q.Topics == nil {
		h.hold(ctx, c, img.TopicCount()*topicBytes+img.PartitionCount()*partitionAnswerBytes)
	}
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir = h.options.DataDir
	dir.TotalBytes, dir.UsableBytes = -1, -1
	if free, total, err := h.options.Partitions.Space(); err == nil {
		dir.TotalBytes, dir.UsableBytes = total, free
	}
	code := wire.None
	if h.options.Partitions.Failed() != nil {
		code = wire.KafkaStorageError
	}
	dir.ErrorCode = h.code(c, code)
	for _, t := range h.logDirTopics(q) {
		out := kmsg.NewDescribeLogDirsResponseDirTopic()
		out.Topic = t.topic.Name
		for _, p := range t.topic.Partitions() {
			if p == nil || t.only != nil && !t.only[p.Index] {
				continue
			}
			o := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
			o.Partition, o.Size = p.Index, p.Size()
			out.Partitions = append(out.Partitions, o)
		}
		if len(out.Partitions) > 0 {
			dir.Topics = append(dir.Topics, out)
		}
	}
	r := kmsg.NewPtrDescribeLogDirsResponse()
	r.Dirs = append(r.Dirs, dir)
	return r
}

// askedTopic is a topic of a DescribeLogDirs request; only is nil where all its partitions are asked for.
type askedTopic struct {
	topic *partition.Topic
	only  map[int32]bool
}

func (h *Handler) logDirTopics(q *kmsg.DescribeLogDirsRequest) (asked []askedTopic) {
	if q.Topics == nil {
		for _, t := range h.options.Partitions.Topics() {
			asked = append(asked, askedTopic{topic: t})
		}
		slices.SortFunc(asked, func(a, b askedTopic) int { return cmp.Compare(a.topic.Name, b.topic.Name) })
		return asked
	}
	for i := range q.Topics {
		if t := h.topic([]byte(q.Topics[i].Topic), [16]byte{}, false); t != nil {
			only := map[int32]bool{}
			for _, p := range q.Topics[i].Partitions {
				only[p] = true
			}
			asked = append(asked, askedTopic{t, only})
		}
	}
	return asked
}
