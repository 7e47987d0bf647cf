package image

import "iter"

// Delta is what differs between two images.
type Delta struct {
	Topics        []TopicChange  // by topic id
	Brokers       []BrokerChange // by broker id
	BrokerConfigs []string       // broker resources whose settings changed, sorted
	GroupConfigs  []string       // groups whose settings changed, sorted
	Features      []string       // features whose level changed, sorted
	ProducerIDs   bool           // a block of producer ids was given out
}

// TopicChange is one topic that was created (Before is nil), deleted (After is nil) or changed. A topic that was
// deleted and created again under its name is two changes, for it has two ids.
type TopicChange struct{ Before, After *Topic }

// BrokerChange is one broker that registered for the first time (Before is nil), left (After is nil) or changed.
type BrokerChange struct{ Before, After *Broker }

// Empty reports whether nothing differs.
func (d *Delta) Empty() bool {
	return len(d.Topics) == 0 && len(d.Brokers) == 0 && len(d.BrokerConfigs) == 0 && len(d.GroupConfigs) == 0 && len(d.Features) == 0 && !d.ProducerIDs
}

// ConfigsChanged reports whether the topic's own settings differ.
func (c TopicChange) ConfigsChanged() bool {
	return !c.configs(c.Before).Equal(c.configs(c.After))
}

func (TopicChange) configs(t *Topic) *Configs {
	if t == nil {
		return nil
	}
	return t.Configs
}

// Partitions yields each partition that differs: before is nil for a new one, after is nil for a deleted one.
func (c TopicChange) Partitions() iter.Seq2[int32, PartitionChange] {
	return func(yield func(int32, PartitionChange) bool) {
		before, after := c.partitions(c.Before), c.partitions(c.After)
		for i := range max(len(before), len(after)) {
			var p PartitionChange
			if i < len(before) {
				p.Before = before[i]
			}
			if i < len(after) {
				p.After = after[i]
			}
			if p.Before != p.After && !yield(int32(i), p) {
				return
			}
		}
	}
}

func (TopicChange) partitions(t *Topic) []*Partition {
	if t == nil {
		return nil
	}
	return t.Partitions
}

// PartitionChange is one partition before and after; nil where it did not or does not exist.
type PartitionChange struct{ Before, After *Partition }

// Diff is what changed from old to new. It looks only at what the two do not share: for one topic more among
// 10,000 that is a few hundred pointers.
func Diff(old, new *Image) Delta {
	var d Delta
	if old == new {
		return d
	}
	diff(&old.topicIDs, &new.topicIDs, func(_ TopicID, before, after *Topic) {
		d.Topics = append(d.Topics, TopicChange{before, after})
	})
	diff(&old.brokers, &new.brokers, func(_ brokerKey, before, after *Broker) {
		d.Brokers = append(d.Brokers, BrokerChange{before, after})
	})
	diff(&old.brokerConfigs, &new.brokerConfigs, func(name nameKey, _, _ *Configs) {
		d.BrokerConfigs = append(d.BrokerConfigs, string(name))
	})
	diff(&old.groupConfigs, &new.groupConfigs, func(name nameKey, _, _ *Configs) {
		d.GroupConfigs = append(d.GroupConfigs, string(name))
	})
	diff(&old.features, &new.features, func(name nameKey, _, _ int16) {
		d.Features = append(d.Features, string(name))
	})
	d.ProducerIDs = old.nextProducerID != new.nextProducerID
	return d
}
