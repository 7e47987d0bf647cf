package group

import (
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"holdfast/internal/core/image"

	"holdfast/internal/core/shard"
)

// reconcile brings a member one step closer to its target. A partition is given to it only when nobody else has it,
// and nobody else gets one before the member has said, by what it owns, that it gave it up.
func (t *turn) reconcile(b *beating, targetEpoch int32, target assignment) {
	m := &b.m
	switch m.State {
	case memberStable:
		if m.Epoch == targetEpoch {
			return
		}
		t.advance(b, m.Epoch, targetEpoch, target)
	case memberUnrevoked:
		if b.owns(m.Revoking) {
			return
		}
		t.advance(b, m.Epoch+1, targetEpoch, target)
	case memberUnreleased:
		t.advance(b, m.Epoch, targetEpoch, target)
	default:
		// A state that a newer version wrote. What the member has is unknown: it gets on once it owns nothing.
		if !b.knows || len(b.owned) > 0 {
			return
		}
		t.advance(b, targetEpoch, targetEpoch, target)
	}
}

// owns tells whether the member may still own some of the partitions. One that does not say, may.
func (b *beating) owns(a assignment) bool {
	if !b.knows {
		return true
	}
	for tp := range b.owned.all {
		if a.has(tp) {
			return true
		}
	}
	return false
}

func (t *turn) advance(b *beating, epoch, targetEpoch int32, target assignment) {
	m := &b.m
	kept, revoking := map[topicPartition]int32{}, map[topicPartition]int32{}
	for tp, since := range m.Assigned.all {
		if target.has(tp) {
			kept[tp] = since
		} else {
			revoking[tp] = since
		}
	}
	unreleased := false
	fresh := map[topicPartition]int32{}
	for tp := range target.all {
		if _, ok := kept[tp]; ok {
			continue
		}
		if owner := b.c.owners[tp]; owner != "" && owner != b.before0() {
			unreleased = true
		} else {
			fresh[tp] = targetEpoch
		}
	}
	next := currentValue{State: memberStable, Previous: m.Epoch}
	giveUp := toAssignment(revoking, true)
	switch {
	case len(revoking) > 0 && b.owns(giveUp):
		next.State, next.Epoch, next.Revoking = memberUnrevoked, epoch, giveUp
	default:
		next.Epoch = targetEpoch
		maps.Copy(kept, fresh)
		if unreleased {
			next.State = memberUnreleased
		}
	}
	next.Assigned = toAssignment(kept, true)
	if next.Epoch == m.Epoch {
		next.Previous = m.Previous // an answer lost now tells of partitions, not of an epoch
	}
	m.currentValue = next
}

// settle finds out whether the group has to be assigned anew, begins a new epoch if so, and computes who is to have
// what. Members are those that will be, sorted by id; one of them may have taken the place of another id. It returns
// the epochs that hold from now on and the targets, if they were computed.
func (t *turn) settle(c *consumer, members []*consumerMember, changed bool, old, replacement string) (epoch, assignmentEpoch int32, targets map[string]assignment) {
	a := t.assignable(c, members, !changed, old, replacement)
	hash := a.hash()
	epoch = c.epoch
	if changed || hash != c.hash {
		epoch++
		t.put(c.record(keyConsumer, "", &epochValue{epoch, hash}))
	}
	if epoch <= c.assignmentEpoch {
		return epoch, c.assignmentEpoch, nil
	}
	due := c.assignedAtMs + t.assignInterval(c.id).Milliseconds()
	if t.nowMs() < due && c.assignmentEpoch > 0 && len(members) > 0 {
		t.out.Timers = append(t.out.Timers, shard.Timer{Key: TimerKey{TimerAssign, c.id, ""}, At: time.UnixMilli(due).In(t.now.Location())})
		return epoch, c.assignmentEpoch, nil
	}
	targets = assign(t.assignor(members), a)
	for _, m := range a.members {
		if _, known := c.targets[m.id]; !known || !targets[m.id].same(m.had) {
			t.put(c.record(keyConsumerTargetMember, m.id, targetValue(targets[m.id])))
		}
	}
	t.put(c.record(keyConsumerTarget, "", &targetEpochValue{epoch, t.nowMs()}))
	t.disarm(TimerAssign, c.id, "")
	return epoch, epoch, targets
}

// assignor is the one most members ask for; of several, the first in the order of the settings.
func (t *turn) assignor(members []*consumerMember) string {
	votes := map[string]int{}
	for _, m := range members {
		if m.Assignor != nil {
			votes[*m.Assignor]++
		}
	}
	best := t.s.cfg.ConsumerAssignors[0]
	for _, name := range t.s.cfg.ConsumerAssignors {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// assignable works out what the members subscribe to that exists, and writes down what patterns match by now.
func (t *turn) assignable(c *consumer, members []*consumerMember, afresh bool, old, replacement string) assignable {
	matched := t.matchPatterns(c, members, afresh)
	a := assignable{topics: map[string]topic{}}
	racks := t.racks(members)
	for _, m := range members {
		names := m.Topics
		if m.Regex != nil {
			names = slices.Compact(slices.Sorted(slices.Values(slices.Concat(names, matched[*m.Regex]))))
		}
		as := assignee{id: m.ID, instance: deref(m.Instance), rack: deref(m.Rack), had: c.targets[m.ID]}
		if m.ID == replacement && old != "" {
			as.had = c.targets[old]
		}
		for _, name := range names {
			known := t.cmd.Image.Topic(name)
			if known == nil {
				continue // not yet, or not any more: it counts from when it is there
			}
			as.topics = append(as.topics, name)
			if _, seen := a.topics[name]; !seen {
				a.topics[name] = topic{known.ID, int32(len(known.Partitions)), partitionRacks(known, racks)}
			}
		}
		a.members = append(a.members, as)
	}
	return a
}

// racks are those of the brokers, or nil where no member says where it is.
func (t *turn) racks(members []*consumerMember) map[int32]string {
	if !slices.ContainsFunc(members, func(m *consumerMember) bool { return m.Rack != nil }) {
		return nil
	}
	racks := map[int32]string{}
	for b := range t.cmd.Image.Brokers() {
		if b.Rack != "" {
			racks[b.ID] = b.Rack
		}
	}
	return racks
}

// partitionRacks are the racks that each partition of a topic has a replica in; nil where that says nothing.
func partitionRacks(t *image.Topic, racks map[int32]string) [][]string {
	if len(racks) == 0 {
		return nil
	}
	out := make([][]string, len(t.Partitions))
	for i, p := range t.Partitions {
		for _, id := range p.Replicas {
			if rack := racks[id]; rack != "" && !slices.Contains(out[i], rack) {
				out[i] = append(out[i], rack)
			}
		}
	}
	return out
}

// matchPatterns is the topics of every pattern. Those it knows already are matched again only when asked to, which is
// when topics changed: thousands of members may come with one pattern. Kafka's own topics are matched like others, as
// Apache Kafka does: a client that wants none of them excludes them in its pattern.
func (t *turn) matchPatterns(c *consumer, members []*consumerMember, afresh bool) map[string][]string {
	matched := map[string][]string{}
	for _, m := range members {
		if m.Regex == nil || matched[*m.Regex] != nil {
			continue
		}
		if known := c.regexes[*m.Regex]; known != nil && !afresh {
			matched[*m.Regex] = append([]string{}, known.topics...)
			continue
		}
		topics := []string{}
		if pattern, err := compilePattern(*m.Regex); err == nil {
			for topic := range t.cmd.Image.Topics() {
				if pattern.MatchString(topic.Name) {
					topics = append(topics, topic.Name)
				}
			}
		}
		matched[*m.Regex] = topics
		if known := c.regexes[*m.Regex]; known == nil || !slices.Equal(known.topics, topics) {
			t.put(c.record(keyConsumerRegex, *m.Regex, &regexValue{topics, t.cmd.Image.Offset(), t.nowMs()}))
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(c.regexes)) {
		if matched[pattern] == nil {
			t.put(c.record(keyConsumerRegex, pattern, nil))
		}
	}
	return matched
}

// hash changes when a subscribed topic comes, goes, is made anew or gets partitions.
func (a *assignable) hash() int64 {
	if len(a.topics) == 0 {
		return 0
	}
	h := fnv.New64a()
	for _, name := range slices.Sorted(maps.Keys(a.topics)) {
		t := a.topics[name]
		h.Write([]byte(name))
		h.Write(t.id[:])
		h.Write([]byte{byte(t.partitions >> 24), byte(t.partitions >> 16), byte(t.partitions >> 8), byte(t.partitions)})
	}
	return int64(h.Sum64())
}

// metadataChanged gives groups whose topics changed a new epoch. It takes a bounded number of records at a time and
// goes on at once.
func (t *turn) metadataChanged() {
	for _, id := range t.s.ids() {
		c := t.s.groups[id].consumer
		if c == nil || len(c.members) == 0 {
			continue
		}
		if t.full() {
			t.arm(TimerMetadata, "", "", 0)
			return
		}
		t.settle(c, c.list(), false, "", "")
	}
}
