package handler

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/image"
)

// partitionPage fills one page of DescribeTopicPartitions.
type partitionPage struct {
	left          int // partitions the page still has room for
	fromTopic     string
	fromPartition int32 // applies to fromTopic
}

// add puts a topic's partitions on the page, and a cursor where they do not all fit.
func (g *partitionPage) add(r *kmsg.DescribeTopicPartitionsResponse, t *image.Topic) {
	first := int32(0)
	if t.Name == g.fromTopic {
		first = max(g.fromPartition, 0)
	}
	if g.left == 0 {
		r.NextCursor = cursorAt(t.Name, first)
		return
	}
	out := kmsg.NewDescribeTopicPartitionsResponseTopic()
	out.Topic, out.TopicID, out.IsInternal, out.AuthorizedOperations = ptr(t.Name), t.ID, image.Internal(t.Name), allTopicOperations
	for i := int(first); i < len(t.Partitions); i++ {
		if g.left == 0 {
			r.NextCursor = cursorAt(t.Name, int32(i))
			break
		}
		p := t.Partitions[i]
		o := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		o.Partition, o.LeaderID, o.LeaderEpoch, o.Replicas, o.ISR = int32(i), p.Leader, p.LeaderEpoch, p.Replicas, p.ISR
		o.EligibleLeaderReplicas, o.LastKnownELR = []int32{}, []int32{} // null breaks Java's admin client
		out.Partitions = append(out.Partitions, o)
		g.left--
	}
	r.Topics = append(r.Topics, out)
}

func cursorAt(topic string, index int32) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	c.Topic, c.Partition = topic, index
	return &c
}

func sortedNames(topics []kmsg.DescribeTopicPartitionsRequestTopic) []string {
	names := make([]string, len(topics))
	for i := range topics {
		names[i] = topics[i].Topic
	}
	slices.Sort(names)
	return slices.Compact(names)
}
