package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"
)

const (
	offsetsTopic = image.TopicOffsets
	nextSession  = 8 * time.Second
)

// slot is a partition of a topic that somebody has.
type slot struct {
	topic     image.TopicID
	partition int32
}

// nextGroup is a group of the consumer protocol (KIP-848) and what its coordinator said: which member has which epoch, and
// may have which partitions.
type nextGroup struct {
	g      *groups
	id     string
	anchor bool

	epochs map[string]int32
	held   map[string]map[slot]bool // what a member was told to have and has not said to have given up

	members []*nextMember
	ids     int // of members, so far
	healthy int // commits of members accepted since healing began
}

func (g *groups) newNext(i int) *nextGroup {
	c := &nextGroup{g: g, id: fmt.Sprintf("next-%d", i), epochs: map[string]int32{}, held: map[string]map[slot]bool{}}
	g.anchor(c.id, &c.anchor)
	for range 1 + g.w.rand.IntN(4) {
		m := &nextMember{c: c}
		m.reset()
		c.members = append(c.members, m)
		m.later()
	}
	return c
}

// nextMember is one consumer. It beats, gives up what it shall, takes what it may, and now and then hangs, leaves or dies.
type nextMember struct {
	c     *nextGroup
	id    string
	epoch int32 // 0: joins
	owned map[slot]bool
	tells bool // the next heartbeat says what it owns
	whole bool // and everything else: an answer was lost or bad
}

// reset makes it a new member.
func (m *nextMember) reset() {
	m.c.ids++
	m.id, m.epoch, m.owned, m.tells = fmt.Sprintf("member-%d", m.c.ids), 0, map[slot]bool{}, true
}

func (m *nextMember) later() { m.c.g.w.after(m.c.g.w.about(300*time.Millisecond), m.tick) }

func (m *nextMember) tick() {
	w := m.c.g.w
	switch {
	case !m.c.anchor:
		m.later()
	case m.epoch > 0 && !w.healing && w.chance(0.01): // it hangs for longer than its session, perhaps
		w.after(w.between(time.Second, 2*nextSession), m.tick)
	case m.epoch > 0 && !w.healing && w.chance(0.02): // it dies, and comes back as another
		m.reset()
		m.later()
	case m.epoch > 0 && !w.healing && w.chance(0.02):
		m.beat(-1)
	case m.epoch > 0 && w.chance(0.4):
		m.commit()
	default:
		m.beat(m.epoch)
	}
}

func (m *nextMember) beat(epoch int32) {
	w := m.c.g.w
	q := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	q.Version, q.Group, q.MemberID, q.MemberEpoch = 1, m.c.id, m.id, epoch
	if epoch == 0 || m.whole {
		q.RebalanceTimeoutMillis, q.SubscribedTopicNames = 10_000, topicNames[:w.plan.topics]
	}
	if epoch == 0 || m.tells || m.whole {
		q.Topics = toTopics(m.owned)
	}
	sent := m.owned
	m.tells, m.whole = false, false
	m.c.g.send(m.c.id, q, &ask{
		judge: func(_ *ask, r kmsg.Response) { m.c.told(q, sent, r.(*kmsg.ConsumerGroupHeartbeatResponse)) },
		lost:  func(*ask) { m.c.says(q, sent) },
		done: func(r kmsg.Response) {
			if r == nil {
				m.whole = true
			} else {
				m.hear(epoch, r.(*kmsg.ConsumerGroupHeartbeatResponse))
			}
			m.later()
		},
	})
}

func (m *nextMember) hear(epoch int32, r *kmsg.ConsumerGroupHeartbeatResponse) {
	switch code := wire.Code(r.ErrorCode); {
	case code == wire.None && epoch < 0:
		m.reset()
	case code == wire.None:
		m.epoch = r.MemberEpoch
		if r.Assignment != nil { // what is not in it is given up at once, the rest begins
			m.owned, m.tells = toSlots(r.Assignment), true
		}
	case retriable(code):
		m.whole = true
	case code == wire.UnknownMemberID, code == wire.FencedMemberEpoch:
		m.reset()
	case code == wire.GroupIDNotFound && epoch != 0:
		m.reset()
	default:
		violate("group %s: a member of epoch %d is answered %v", m.c.id, epoch, code)
	}
}

func (m *nextMember) commit() {
	var k offsetKey
	for s := range sortedSlots(m.owned) { // the first will do
		k = offsetKey{m.c.id, s.topic, s.partition}
		break
	}
	if k.group == "" {
		m.beat(m.epoch)
		return
	}
	m.c.g.commit(k, committing{m.id, m.epoch}, func() {
		if m.c.g.w.healing {
			m.c.healthy++
		}
	}, func(code wire.Code, answered bool) {
		switch {
		case !answered, code == wire.None, retriable(code), code == wire.UnknownTopicID, code == wire.UnknownTopicOrPartition, code == wire.StaleMemberEpoch:
		case code == wire.UnknownMemberID, code == wire.FencedMemberEpoch, code == wire.GroupIDNotFound:
			m.reset()
		default:
			violate("group %s: a member's commit is answered %v", m.c.id, code)
		}
		m.later()
	})
}

// told judges the answer to a heartbeat: epochs rise, and nobody is told to have what another may still have.
func (c *nextGroup) told(q *kmsg.ConsumerGroupHeartbeatRequest, owned map[slot]bool, r *kmsg.ConsumerGroupHeartbeatResponse) {
	code := wire.Code(r.ErrorCode)
	if code == wire.UnknownMemberID || code == wire.FencedMemberEpoch || code == wire.None && q.MemberEpoch < 0 {
		delete(c.epochs, q.MemberID)
		delete(c.held, q.MemberID)
	}
	if doubtful(code) {
		c.says(q, owned)
	}
	if code != wire.None || q.MemberEpoch < 0 {
		return
	}
	c.g.w.note("member epoch", c.id+"/"+q.MemberID, int64(r.MemberEpoch), 0)
	if r.MemberEpoch < c.epochs[q.MemberID] {
		violate("group %s: member %s had epoch %d, and is told %d", c.id, q.MemberID, c.epochs[q.MemberID], r.MemberEpoch)
	}
	c.epochs[q.MemberID] = r.MemberEpoch
	c.says(q, owned)
	holds := c.held[q.MemberID]
	if r.Assignment != nil {
		c.g.w.counts[Assignments]++
		for s := range toSlots(r.Assignment) { // order-free
			holds[s] = true
		}
	}
	c.oneOwner(q.MemberID, r.Assignment)
}

// says takes over what a heartbeat that reached the coordinator says of what its member has: all else is given up.
func (c *nextGroup) says(q *kmsg.ConsumerGroupHeartbeatRequest, owned map[slot]bool) {
	if q.Topics != nil || c.held[q.MemberID] == nil {
		c.held[q.MemberID] = maps.Clone(owned)
	}
}

// oneOwner holds what a member was told against what the others may have, those that are members still.
func (c *nextGroup) oneOwner(member string, a *kmsg.ConsumerGroupHeartbeatResponseAssignment) {
	if a == nil {
		return
	}
	d := kmsg.NewPtrConsumerGroupDescribeRequest()
	d.Groups = []string{c.id}
	described := c.g.w.node.peek(c.id, d).(*kmsg.ConsumerGroupDescribeResponse).Groups[0]
	if described.ErrorCode != 0 {
		return // lost again meanwhile
	}
	mine := toSlots(a)
	owners := map[slot]string{}
	for _, m := range described.Members {
		for _, t := range m.Assignment.TopicPartitions {
			for _, p := range t.Partitions {
				s := slot{t.TopicID, p}
				if other := owners[s]; other != "" {
					violate("group %s: %v-%d belongs to %s and to %s", c.id, s.topic, s.partition, other, m.MemberID)
				}
				owners[s] = m.MemberID
			}
		}
		if m.MemberID == member {
			continue
		}
		for s := range c.held[m.MemberID] { // order-free
			if mine[s] {
				violate("group %s: %v-%d is given to %s, and %s was told to have it and has not given it up", c.id, s.topic, s.partition, member, m.MemberID)
			}
		}
	}
}

func toSlots(a *kmsg.ConsumerGroupHeartbeatResponseAssignment) map[slot]bool {
	out := map[slot]bool{}
	for _, t := range a.Topics {
		for _, p := range t.Partitions {
			out[slot{t.TopicID, p}] = true
		}
	}
	return out
}

func sortedSlots(m map[slot]bool) func(func(slot) bool) {
	return func(yield func(slot) bool) {
		var all []slot
		for s := range m { // order-free: sorted below
			all = append(all, s)
		}
		slices.SortFunc(all, func(a, b slot) int {
			return cmp.Or(slices.Compare(a.topic[:], b.topic[:]), cmp.Compare(a.partition, b.partition))
		})
		for _, s := range all {
			if !yield(s) {
				return
			}
		}
	}
}

func sortedOffsets(m map[offsetKey]*offset) []offsetKey {
	var all []offsetKey
	for k := range m { // order-free: sorted below
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b offsetKey) int {
		return cmp.Or(cmp.Compare(a.group, b.group), slices.Compare(a.topic[:], b.topic[:]), cmp.Compare(a.partition, b.partition))
	})
	return all
}

func toTopics(owned map[slot]bool) []kmsg.ConsumerGroupHeartbeatRequestTopic {
	out := []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for s := range sortedSlots(owned) {
		if n := len(out); n > 0 && out[n-1].TopicID == s.topic {
			out[n-1].Partitions = append(out[n-1].Partitions, s.partition)
			continue
		}
		out = append(out, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: s.topic, Partitions: []int32{s.partition}})
	}
	return out
}
