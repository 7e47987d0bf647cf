package cli

import "github.com/twmb/franz-go/pkg/kgo"

// askedPartitioner sends a record to the partition it asks for. One that asks for none (-1) goes where Java clients
// send it: by its key, or without a key to one partition until a batch is full.
type askedPartitioner struct{}

func (askedPartitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return askedTopicPartitioner{kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
}

type askedTopicPartitioner struct{ byKey kgo.TopicPartitioner }

func (p askedTopicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || p.byKey.RequiresConsistency(r)
}

// Partition may return a partition that does not exist: the client then fails the record, which is what was asked for.
func (p askedTopicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return p.byKey.Partition(r, n)
}

func (p askedTopicPartitioner) OnNewBatch() {
	if sticky, ok := p.byKey.(kgo.TopicPartitionerOnNewBatch); ok {
		sticky.OnNewBatch()
	}
}
