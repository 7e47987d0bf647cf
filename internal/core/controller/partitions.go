package controller

import (
	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func (m *Machine) createPartitions(req *kmsg.CreatePartitionsRequest, nonce [32]byte) Outcome {
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	g := &ids{nonce: nonce}
	p := newPlacer(m.img, g)
	named := make(map[string]int, len(req.Topics))
	var asked int64
	for i := range req.Topics {
		t := &req.Topics[i]
		named[t.Topic]++
		if old := m.img.Topic(t.Topic); old != nil {
			asked += max(0, int64(t.Count)-int64(len(old.Partitions)))
		}
	}
	whole := tooManyPartitions(asked)
	var records []image.Record
	var b budget
	for i := range req.Topics {
		t := &req.Topics[i]
		times := named[t.Topic]
		if times == 0 {
			continue // a duplicate that was answered already
		}
		r := whole
		if r == nil && times > 1 {
			named[t.Topic] = 0
			r = refuse(wire.InvalidRequest, "Duplicate topic name.")
		}
		var added []image.Record
		if r == nil {
			added, r = m.addPartitions(t, p)
		}
		if r == nil {
			r = b.take(added)
		}
		if r == nil {
			records = append(records, added...)
		}
		out := kmsg.NewCreatePartitionsResponseTopic()
		out.Topic = t.Topic
		out.ErrorCode, out.ErrorMessage = r.fields()
		resp.Topics = append(resp.Topics, out)
	}
	if req.ValidateOnly {
		records = nil
	}
	return Outcome{Records: records, Reply: resp}
}

// addPartitions decides one topic: partitions are only ever added, each with as many replicas as the first has.
func (m *Machine) addPartitions(t *kmsg.CreatePartitionsRequestTopic, p *placer) ([]image.Record, *refusal) {
	old := m.img.Topic(t.Topic)
	if old == nil {
		return nil, refuse(wire.UnknownTopicOrPartition, "This server does not host this topic-partition.")
	}
	have := len(old.Partitions)
	switch add := int(t.Count) - have; {
	case add == 0:
		return nil, refuse(wire.InvalidPartitions, "Topic already has %d partition(s).", have)
	case t.Topic == image.TopicOffsets || t.Topic == image.TopicTransactions:
		// Which partition has a group follows from how many there are: what was committed would be somewhere else.
		return nil, refuse(wire.InvalidPartitions, "The number of partitions of %s cannot change: what is stored there is found by it.", t.Topic)
	case add < 0:
		return nil, refuse(wire.InvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", t.Topic, have, t.Count)
	case t.Assignment != nil && len(t.Assignment) != add:
		return nil, refuse(wire.InvalidReplicaAssignment, "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.",
			add, len(t.Assignment))
	}
	factor := len(old.Partitions[0].Replicas)
	if t.Assignment == nil {
		if r := p.check(factor); r != nil {
			return nil, r
		}
	}
	records := make([]image.Record, 0, int(t.Count)-have)
	for n := have; n < int(t.Count); n++ {
		var replicas []int32
		if t.Assignment == nil {
			replicas = p.place(factor)
		} else {
			replicas = t.Assignment[n-have].Replicas
			if r := checkManual(m.img, replicas, factor); r != nil {
				return nil, r
			}
		}
		records = append(records, &image.PartitionRecord{Topic: old.ID, Index: int32(n), Partition: newPartition(m.img, replicas)})
	}
	return records, nil
}
