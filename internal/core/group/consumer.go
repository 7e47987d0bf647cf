package group

import (
	"maps"
	"slices"

	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
)

// The assignors that run here; see assignor.go.
const (
	AssignorUniform = "uniform"
	AssignorRange   = "range"
)

// Epochs of a member that are no epoch.
const (
	epochJoin        = 0  // it joins, or starts over
	epochLeave       = -1 // it leaves
	epochLeaveStatic = -2 // its instance is away and comes back
)

// memberState is how far a member is with what it is to have. The numbers are those of the log.
type memberState int8

const (
	memberStable     memberState = 1 // has what its target of its epoch says
	memberUnrevoked  memberState = 2 // is to give something up first
	memberUnreleased memberState = 3 // waits for what others give up
)

// consumer is a KIP-848 group. All of it is in the log; Apply changes it in place.
type consumer struct {
	id              string
	epoch           int32 // rises when members, subscriptions or subscribed topics change
	hash            int64 // of the subscribed topics, as of that epoch
	assignmentEpoch int32 // the epoch the targets are for
	assignedAtMs    int64
	members         map[string]*consumerMember
	sorted          []*consumerMember     // the same, by id
	targets         map[string]assignment // what each member is to have
	owners          map[topicPartition]string
	regexes         map[string]*regexValue
}

// consumerMember never changes once it is part of a group.
type consumerMember struct {
	memberValue
	currentValue
	ID string
}

type topicPartition struct {
	topic     image.TopicID
	partition int32
}

// assignment is partitions by topic, both sorted, without empty topics.
type assignment []topicPartitions

type topicPartitions struct {
	Topic      image.TopicID
	Partitions []int32
	Epochs     []int32 // since which epoch of the member, one a partition; nil in a target
}

func (a assignment) all(yield func(topicPartition, int32) bool) {
	for _, t := range a {
		for i, p := range t.Partitions {
			epoch := int32(0)
			if i < len(t.Epochs) {
				epoch = t.Epochs[i]
			}
			if !yield(topicPartition{t.Topic, p}, epoch) {
				return
			}
		}
	}
}

func (a assignment) find(topic image.TopicID) (int, bool) {
	return slices.BinarySearchFunc(a, topic, func(t topicPartitions, id image.TopicID) int { return compareIDs(t.Topic, id) })
}

func (a assignment) has(tp topicPartition) bool {
	i, ok := a.find(tp.topic)
	if !ok {
		return false
	}
	_, ok = slices.BinarySearch(a[i].Partitions, tp.partition)
	return ok
}

// same compares what is assigned, not since when.
func (a assignment) same(b assignment) bool {
	return slices.EqualFunc(a, b, func(x, y topicPartitions) bool { return x.Topic == y.Topic && slices.Equal(x.Partitions, y.Partitions) })
}

func (a assignment) equal(b assignment) bool {
	return a.same(b) && slices.EqualFunc(a, b, func(x, y topicPartitions) bool { return slices.Equal(x.Epochs, y.Epochs) })
}

// toAssignment sorts a set of partitions; with epochs if it is what a member has.
func toAssignment(set map[topicPartition]int32, epochs bool) assignment {
	sorted := slices.SortedFunc(maps.Keys(set), compareTopicPartitions)
	var out assignment
	for _, tp := range sorted {
		if len(out) == 0 || out[len(out)-1].Topic != tp.topic {
			out = append(out, topicPartitions{Topic: tp.topic})
		}
		last := &out[len(out)-1]
		last.Partitions = append(last.Partitions, tp.partition)
		if epochs {
			last.Epochs = append(last.Epochs, set[tp])
		}
	}
	return out
}

func compareIDs(a, b image.TopicID) int { return slices.Compare(a[:], b[:]) }

func compareTopicPartitions(a, b topicPartition) int {
	if c := compareIDs(a.topic, b.topic); c != 0 {
		return c
	}
	return int(a.partition) - int(b.partition)
}

func newConsumer(id string) *consumer {
	return &consumer{
		id: id, members: map[string]*consumerMember{}, targets: map[string]assignment{},
		owners: map[topicPartition]string{}, regexes: map[string]*regexValue{},
	}
}

// list is the members, sorted by id, for the caller to change.
func (c *consumer) list() []*consumerMember { return slices.Clone(c.sorted) }

func (c *consumer) index(id string) (int, bool) {
	return slices.BinarySearchFunc(c.sorted, id, func(m *consumerMember, id string) int { return compare(m.ID, id) })
}

// static is the member of an instance; nil when there is none.
func (c *consumer) static(instance string) *consumerMember {
	for _, m := range c.members { // order-free
		if m.Instance != nil && *m.Instance == instance {
			return m
		}
	}
	return nil
}

// state is the group's state as it is listed.
func (c *consumer) state() string {
	switch {
	case len(c.members) == 0:
		return "Empty"
	case c.epoch > c.assignmentEpoch:
		return "Assigning"
	}
	for _, m := range c.members { // order-free
		if m.State != memberStable || m.Epoch != c.assignmentEpoch {
			return "Reconciling"
		}
	}
	return "Stable"
}

// subscribed tells whether some member reads the topic.
func (c *consumer) subscribed(topic string) bool {
	for _, m := range c.members { // order-free
		if _, ok := slices.BinarySearch(m.Topics, topic); ok {
			return true
		}
		if m.Regex != nil {
			if r := c.regexes[*m.Regex]; r != nil && slices.Contains(r.topics, topic) {
				return true
			}
		}
	}
	return false
}

// records is the group as the log would have it, shortest and sorted.
func (c *consumer) records() []shard.Record {
	out := []shard.Record{c.record(keyConsumer, "", &epochValue{c.epoch, c.hash})}
	for _, pattern := range slices.Sorted(maps.Keys(c.regexes)) {
		out = append(out, c.record(keyConsumerRegex, pattern, c.regexes[pattern]))
	}
	for _, m := range c.sorted {
		out = append(out, c.record(keyConsumerMember, m.ID, &m.memberValue))
	}
	if c.assignmentEpoch > 0 || c.assignedAtMs > 0 {
		out = append(out, c.record(keyConsumerTarget, "", &targetEpochValue{c.assignmentEpoch, c.assignedAtMs}))
	}
	for _, id := range slices.Sorted(maps.Keys(c.targets)) {
		out = append(out, c.record(keyConsumerTargetMember, id, targetValue(c.targets[id])))
	}
	for _, m := range c.sorted {
		if m.State != 0 {
			out = append(out, c.record(keyConsumerCurrent, m.ID, &m.currentValue))
		}
	}
	return out
}

func (c *consumer) record(kind int16, name string, v consumerValue) *ConsumerRecord {
	return &ConsumerRecord{Kind: kind, Group: c.id, Name: name, value: v}
}

// applyConsumer makes a record true. After compaction the records of one member may come in any order, so each can be
// the first; what ends something never begins it.
func (s *Shard) applyConsumer(r *ConsumerRecord) {
	known := s.groups[r.Group]
	if r.value == nil {
		if known != nil && known.consumer != nil {
			known.consumer.end(r)
			if r.Kind == keyConsumer {
				known.consumer = nil
			}
			s.tidy(r.Group)
		}
		return
	}
	g := s.at(r.Group)
	if g.consumer == nil {
		g.consumer = newConsumer(r.Group)
	}
	c := g.consumer
	switch v := r.value.(type) {
	case *epochValue:
		c.epoch, c.hash = v.Epoch, v.Hash
	case *memberValue:
		m := c.editable(r.Name)
		m.memberValue = *v
	case *currentValue:
		m := c.editable(r.Name)
		c.release(m)
		m.currentValue = *v
		c.take(m)
	case *targetEpochValue:
		c.assignmentEpoch, c.assignedAtMs = v.Epoch, v.AtMs
	case targetValue:
		c.targets[r.Name] = assignment(v)
	case *regexValue:
		c.regexes[r.Name] = v
	}
}

func (c *consumer) end(r *ConsumerRecord) {
	switch r.Kind {
	case keyConsumerMember:
		if m := c.members[r.Name]; m != nil {
			c.release(m)
			delete(c.members, r.Name)
			i, _ := c.index(r.Name)
			c.sorted = slices.Delete(c.sorted, i, i+1)
		}
	case keyConsumerCurrent:
		if c.members[r.Name] != nil {
			m := c.editable(r.Name)
			c.release(m)
			m.currentValue = currentValue{}
		}
	case keyConsumerTarget:
		c.assignmentEpoch, c.assignedAtMs = 0, 0
	case keyConsumerTargetMember:
		delete(c.targets, r.Name)
	case keyConsumerRegex:
		delete(c.regexes, r.Name)
	}
}

// editable replaces a member by a copy, or begins one.
func (c *consumer) editable(id string) *consumerMember {
	m := &consumerMember{ID: id}
	i, known := c.index(id)
	if known {
		*m = *c.sorted[i]
		c.sorted[i] = m
	} else {
		c.sorted = slices.Insert(c.sorted, i, m)
	}
	c.members[id] = m
	return m
}

func (c *consumer) release(m *consumerMember) {
	for _, a := range []assignment{m.Assigned, m.Revoking} {
		for tp := range a.all {
			if c.owners[tp] == m.ID {
				delete(c.owners, tp)
			}
		}
	}
}

func (c *consumer) take(m *consumerMember) {
	for _, a := range []assignment{m.Assigned, m.Revoking} {
		for tp := range a.all {
			c.owners[tp] = m.ID
		}
	}
}
