package group

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// chaos is a fake host and what its clients have heard, which judges every answer. That Decide is pure, that the log
// replayed gives the state, that snapshots are canonical and that nobody is answered twice the host checks by itself.
type chaos struct {
	*fakeHost
	rt          *rapid.T
	members     []string         // classic member ids given out
	generations map[string]int32 // the highest anybody heard of, by group
	given       map[string]string
	epochs      map[string]int32 // of KIP-848 members, by id
	groupEpoch  map[string]int32
	holds       map[string]assignment // what each KIP-848 member believes to own
}

func newChaos(rt *rapid.T) *chaos {
	cfg := DefaultConfig()
	cfg.InitialRebalanceDelay = rapid.SampledFrom([]time.Duration{0, time.Second, 3 * time.Second}).Draw(rt, "delay")
	cfg.MaxSize, cfg.ConsumerMaxSize = 4, 4
	cfg.MaxRecordBytes = 4096
	cfg.OffsetsRetention = time.Hour
	cfg.MaxSweepRecords = 3
	return &chaos{
		fakeHost: newHost(rt, cfg), rt: rt, generations: map[string]int32{}, given: map[string]string{},
		epochs: map[string]int32{}, groupEpoch: map[string]int32{}, holds: map[string]assignment{},
	}
}

func (c *chaos) run(request any) {
	_, out := c.do(request, shard.Client{ID: "c", Host: "/h"})
	c.judge(out)
}

// judge holds what is said now against what was said before.
func (c *chaos) judge(out shard.Outcome) {
	for _, r := range out.Replies {
		switch resp := r.Response.(type) {
		case *kmsg.JoinGroupResponse:
			if resp.MemberID != "" && !slices.Contains(c.members, resp.MemberID) {
				c.members = append(c.members, resp.MemberID)
			}
		}
	}
	for id, g := range c.shard.groups {
		if g.classic != nil && g.classic.generation < c.generations[id] {
			c.rt.Fatalf("generation of %s fell from %d to %d", id, c.generations[id], g.classic.generation)
		}
		if g.classic != nil {
			c.generations[id] = g.classic.generation
		}
		c.judgeConsumer(id, g.consumer)
	}
	for id := range c.generations {
		if c.shard.classic(id) == nil {
			delete(c.generations, id) // it is gone, and with it all who could remember
		}
	}
	for id := range c.groupEpoch {
		if c.shard.consumer(id) == nil {
			delete(c.groupEpoch, id)
		}
	}
}

func (c *chaos) judgeConsumer(id string, g *consumer) {
	if g == nil {
		g = newConsumer(id)
	} else if g.epoch < c.groupEpoch[id] || g.assignmentEpoch > g.epoch {
		c.rt.Fatalf("epoch of %s went from %d to %d, its targets are of %d", id, c.groupEpoch[id], g.epoch, g.assignmentEpoch)
	}
	if g.epoch > 0 {
		c.groupEpoch[id] = g.epoch
	}
	owner := map[topicPartition]string{}
	for _, m := range g.members {
		key := id + "/" + m.ID
		if m.Epoch > 0 && m.Epoch < c.epochs[key] {
			c.rt.Fatalf("epoch of member %s fell from %d to %d", key, c.epochs[key], m.Epoch)
		}
		if m.Epoch > g.assignmentEpoch {
			c.rt.Fatalf("member %s is at %d, the targets at %d", key, m.Epoch, g.assignmentEpoch)
		}
		c.epochs[key] = m.Epoch
		for _, a := range []assignment{m.Assigned, m.Revoking} {
			for tp := range a.all {
				if other := owner[tp]; other != "" {
					c.rt.Fatalf("%v is owned by %s and %s", tp, other, m.ID)
				}
				owner[tp] = m.ID
			}
		}
		if (m.State == memberUnrevoked) != (m.Revoking != nil) {
			c.rt.Fatalf("member %s is in state %d and revokes %v", key, m.State, m.Revoking)
		}
	}
	for key := range c.epochs {
		if group, member, _ := cutLast(key); group == id && g.members[member] == nil {
			delete(c.epochs, key)
		}
	}
	if len(owner) != len(g.owners) {
		c.rt.Fatalf("owners %v, members have %v", g.owners, owner)
	}
}

func cutLast(s string) (before, after string, ok bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

func (c *chaos) assigned(m *consumerMember) []kmsg.AssignmentTopicPartition {
	t := &turn{cmd: &shard.Command{Image: c.img}}
	return t.named(m.Assigned).TopicPartitions
}

func (c *chaos) classicMember() string {
	if len(c.members) == 0 || rapid.IntRange(0, 9).Draw(c.rt, "new") == 0 {
		return ""
	}
	return rapid.SampledFrom(c.members).Draw(c.rt, "member")
}

func (c *chaos) instance() *string {
	if rapid.IntRange(0, 3).Draw(c.rt, "static") > 0 {
		return nil
	}
	s := rapid.SampledFrom([]string{"i", "j"}).Draw(c.rt, "instance")
	return &s
}

func (c *chaos) generation(group, member string) int32 {
	if k := c.shard.consumer(group); k != nil && k.members[member] != nil {
		return k.members[member].Epoch
	}
	return c.generations[group] - int32(rapid.IntRange(0, 8).Draw(c.rt, "behind")/8)
}

func (c *chaos) actions(group string) map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"join": func(rt *rapid.T) {
			r := kmsg.NewPtrJoinGroupRequest()
			r.Version, r.Group, r.MemberID, r.InstanceID, r.ProtocolType = int16(rapid.IntRange(0, 9).Draw(rt, "v")), group, c.classicMember(), c.instance(), "t"
			r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 6000, int32(rapid.IntRange(0, 20000).Draw(rt, "rebalance"))
			for _, p := range rapid.SampledFrom([]string{"a", "ab", "ba", "b"}).Draw(rt, "protocols") {
				r.Protocols = append(r.Protocols, kmsg.JoinGroupRequestProtocol{Name: string(p), Metadata: make([]byte, rapid.IntRange(0, 100).Draw(rt, "size"))})
			}
			if group == "k" {
				// A cooperative consumer, which now and then has given up what it owned, and now and then not.
				meta := kmsg.NewConsumerMemberMetadata()
				meta.Version, meta.Topics = 1, []string{"t"}
				if k := c.shard.consumer("k"); k != nil && k.members[r.MemberID] != nil && rapid.Bool().Draw(rt, "owns") {
					for _, at := range c.assigned(k.members[r.MemberID]) {
						meta.OwnedPartitions = append(meta.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: at.Topic, Partitions: at.Partitions})
					}
				}
				r.ProtocolType, r.Protocols = consumerProtocol, []kmsg.JoinGroupRequestProtocol{{Name: "c", Metadata: meta.AppendTo(nil)}}
			}
			c.run(r)
		},
		"sync": func(rt *rapid.T) {
			r := kmsg.NewPtrSyncGroupRequest()
			r.Version, r.Group, r.MemberID = 5, group, c.classicMember()
			r.Generation = c.generation(group, r.MemberID)
			for _, m := range c.members {
				r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m, MemberAssignment: []byte(m)})
			}
			if group == "k" {
				r.GroupAssignment = c.careless(rt)
			}
			call, out := c.do(r, shard.Client{})
			for _, reply := range out.Replies {
				resp, ok := reply.Response.(*kmsg.SyncGroupResponse)
				if ok && group == "g" && reply.Call == call && resp.ErrorCode == 0 && len(resp.MemberAssignment) > 0 && string(resp.MemberAssignment) != r.MemberID && r.InstanceID == nil {
					// A static member inherits what its predecessor was given, under the old name.
					if m := c.shard.classic(group).member(r.MemberID); m == nil || m.instance == nil {
						rt.Fatalf("%s is given the part of %s", r.MemberID, resp.MemberAssignment)
					}
				}
			}
			c.judge(out)
		},
		"heartbeat": func(*rapid.T) {
			r := kmsg.NewPtrHeartbeatRequest()
			r.Version, r.Group, r.MemberID = 4, group, c.classicMember()
			r.Generation = c.generation(group, r.MemberID)
			c.run(r)
		},
		"leave": func(rt *rapid.T) {
			r := kmsg.NewPtrLeaveGroupRequest()
			r.Version, r.Group = 5, group
			for range rapid.IntRange(1, 2).Draw(rt, "leave") {
				r.Members = append(r.Members, kmsg.LeaveGroupRequestMember{MemberID: c.classicMember(), InstanceID: c.instance()})
			}
			c.run(r)
		},
		"commit": func(rt *rapid.T) {
			r := kmsg.NewPtrOffsetCommitRequest()
			r.Version, r.Group, r.MemberID = 9, group, c.classicMember()
			r.Generation = c.generation(group, r.MemberID)
			if rapid.Bool().Draw(rt, "simple") {
				r.MemberID, r.Generation = "", -1
			}
			r.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: int32(rapid.IntRange(0, 3).Draw(rt, "p")), Offset: 5}}}}
			c.run(r)
		},
		"txn": func(rt *rapid.T) {
			producer := int64(rapid.IntRange(1, 2).Draw(rt, "producer"))
			if rapid.Bool().Draw(rt, "end") {
				c.marker(producer, rapid.Bool().Draw(rt, "commit"))
				return
			}
			r := kmsg.NewPtrTxnOffsetCommitRequest()
			r.Version, r.Group, r.ProducerID, r.Generation = 3, group, producer, -1
			r.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Partition: 1, Offset: 5}}}}
			c.run(r)
		},
		"delete": func(*rapid.T) {
			r := kmsg.NewPtrDeleteGroupsRequest()
			r.Version, r.Groups = 2, []string{group}
			c.run(r)
		},
		"read": func(*rapid.T) {
			f := kmsg.NewPtrOffsetFetchRequest()
			f.Version, f.Groups = 9, []kmsg.OffsetFetchRequestGroup{{Group: group, MemberEpoch: -1}}
			c.run(f)
			d := kmsg.NewPtrDescribeGroupsRequest()
			d.Version, d.Groups = 6, []string{group}
			c.run(d)
			k := kmsg.NewPtrConsumerGroupDescribeRequest()
			k.Version, k.Groups = 1, []string{group}
			c.run(k)
		},
	}
}

// careless is the assignment of a leader that may give one partition to several.
func (c *chaos) careless(rt *rapid.T) []kmsg.SyncGroupRequestGroupAssignment {
	var out []kmsg.SyncGroupRequestGroupAssignment
	for _, m := range c.members {
		a := kmsg.NewConsumerMemberAssignment()
		a.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: "t", Partitions: []int32{int32(rapid.IntRange(0, 5).Draw(rt, "given"))}}}
		out = append(out, kmsg.SyncGroupRequestGroupAssignment{MemberID: m, MemberAssignment: a.AppendTo(nil)})
	}
	return out
}

// beat is a KIP-848 client: it owns what it was told, gives up what it was told to, and sometimes lies or forgets.
func (c *chaos) beat(rt *rapid.T, group string) {
	id := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "id")
	key := group + "/" + id
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.MemberEpoch = 1, group, id, c.epochs[key]
	r.InstanceID = c.instance()
	switch rapid.IntRange(0, 9).Draw(rt, "what") {
	case 0:
		r.MemberEpoch = epochLeave
	case 1:
		r.MemberEpoch = epochLeaveStatic
	case 2, 3:
		r.MemberEpoch = epochJoin
	case 4:
		r.MemberEpoch--
	}
	if r.MemberEpoch == epochJoin {
		c.holds[key] = nil
		r.RebalanceTimeoutMillis = int32(rapid.IntRange(0, 10000).Draw(rt, "rebalance"))
		r.SubscribedTopicNames = []string{"t"}
		if rapid.Bool().Draw(rt, "pattern") {
			pattern := rapid.SampledFrom([]string{"t|u", "u", ".*", ""}).Draw(rt, "regex")
			r.SubscribedTopicRegex = &pattern
		}
	}
	if r.MemberEpoch == epochJoin || rapid.Bool().Draw(rt, "tells") {
		r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		for _, t := range c.holds[key] {
			r.Topics = append(r.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.Topic, Partitions: t.Partitions})
		}
	}
	_, out := c.do(r, shard.Client{})
	resp := out.Replies[0].Response.(*kmsg.ConsumerGroupHeartbeatResponse)
	if resp.ErrorCode == 0 && resp.Assignment != nil && rapid.IntRange(0, 5).Draw(rt, "lost") > 0 {
		var a assignment
		for _, t := range resp.Assignment.Topics {
			a = append(a, topicPartitions{Topic: t.TopicID, Partitions: t.Partitions})
		}
		c.holds[key] = a
	}
	c.judge(out)
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newChaos(rt)
		c.topic("t", 1, 4)
		ids := byte(10)
		actions := c.actions("g")
		for name, f := range c.actions("k") {
			actions[name+"-k"] = f
		}
		actions["beat"] = func(rt *rapid.T) { c.beat(rt, rapid.SampledFrom([]string{"g", "k", "k", "k"}).Draw(rt, "group")) }
		actions["tick"] = func(rt *rapid.T) {
			d := rapid.SampledFrom([]time.Duration{50 * time.Millisecond, time.Second, 7 * time.Second, time.Minute}).Draw(rt, "tick")
			c.tick(d, func(_ TimerKey, out shard.Outcome) { c.judge(out) })
		}
		actions["restart"] = func(*rapid.T) { c.judge(c.restart()) }
		actions["topics"] = func(rt *rapid.T) {
			if c.img.Topic("u") == nil {
				ids++
				c.topic("u", ids, 3)
				c.run(&shard.MetadataChanged{})
				return
			}
			gone := c.drop("u")
			if rapid.Bool().Draw(rt, "heard") {
				c.run(&shard.TopicsDeleted{Topics: []shard.DeletedTopic{gone}})
			}
		}
		rt.Repeat(actions)
		c.settleDown()
	})
}

// settleDown lets all clients go silent: nobody may be left waiting, and no member be left.
func (c *chaos) settleDown() {
	c.tick(time.Hour, func(_ TimerKey, out shard.Outcome) { c.judge(out) })
	if len(c.open) > 0 {
		c.rt.Fatalf("%d callers wait for ever", len(c.open))
	}
	for id, g := range c.shard.groups {
		if !g.empty() {
			c.rt.Fatalf("group %s has members that went silent an hour ago", id)
		}
	}
}

// Whatever happened before, members of a KIP-848 group that behave get to their targets, every partition has its
// owner, and loads differ by one at most.
func TestConsumersConverge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newChaos(rt)
		c.topic("t", 1, rapid.IntRange(1, 9).Draw(rt, "partitions"))
		for range rapid.IntRange(0, 30).Draw(rt, "mess") {
			c.beat(rt, "k")
			c.tick(30*time.Millisecond, func(_ TimerKey, out shard.Outcome) { c.judge(out) })
		}
		c.tick(time.Hour, func(TimerKey, shard.Outcome) {})
		beat := func(id string) {
			key := "k/" + id
			r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
			r.Version, r.Group, r.MemberID, r.MemberEpoch, r.Topics = 1, "k", id, c.epochs[key], []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			if r.MemberEpoch <= 0 {
				r.MemberEpoch, r.RebalanceTimeoutMillis, r.SubscribedTopicNames = 0, 5000, []string{"t"}
				c.holds[key] = nil
			}
			for _, t := range c.holds[key] {
				r.Topics = append(r.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.Topic, Partitions: t.Partitions})
			}
			_, out := c.do(r, shard.Client{})
			resp := out.Replies[0].Response.(*kmsg.ConsumerGroupHeartbeatResponse)
			if resp.ErrorCode != 0 {
				rt.Fatalf("%s: %s", id, *resp.ErrorMessage)
			}
			if resp.Assignment != nil {
				c.holds[key] = nil
				for _, t := range resp.Assignment.Topics {
					c.holds[key] = append(c.holds[key], topicPartitions{Topic: t.TopicID, Partitions: t.Partitions})
				}
			}
			c.judge(out)
		}
		n := rapid.IntRange(1, 4).Draw(rt, "members")
		for range 10 {
			for i := range n {
				beat(fmt.Sprint("n", i))
			}
			c.tick(100*time.Millisecond, func(_ TimerKey, out shard.Outcome) { c.judge(out) })
		}
		k := c.shard.consumer("k")
		if k.state() != "Stable" || len(k.owners) != len(c.img.Topic("t").Partitions) {
			rt.Fatalf("after ten rounds the group is %s and %d partitions have owners", k.state(), len(k.owners))
		}
		low, high := 1000, 0
		for _, m := range k.members {
			size := 0
			for range m.Assigned.all {
				size++
			}
			low, high = min(low, size), max(high, size)
		}
		if high-low > 1 {
			rt.Fatalf("loads are from %d to %d", low, high)
		}
	})
}

// TestAssignors: every partition of a subscribed topic has one owner, who subscribes to it; uniform is even where it can
// be, and moves nothing when nothing changed.
func TestAssignors(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := assignable{topics: map[string]topic{}}
		names := []string{"a", "b", "c"}
		for i, name := range names {
			a.topics[name] = topic{id: image.TopicID{byte(i + 1)}, partitions: int32(rapid.IntRange(0, 12).Draw(rt, name))}
		}
		alike := rapid.Bool().Draw(rt, "alike")
		n := rapid.IntRange(1, 6).Draw(rt, "members")
		for i := range n {
			m := assignee{id: fmt.Sprint("m", i), topics: names}
			if !alike {
				m.topics = nil
				for _, name := range names {
					if rapid.Bool().Draw(rt, "subscribed") {
						m.topics = append(m.topics, name)
					}
				}
			}
			a.members = append(a.members, m)
		}
		for _, name := range []string{AssignorUniform, AssignorRange} {
			got := assign(name, a)
			checkAssigned(rt, a, got, name == AssignorUniform && alike)
			for i := range a.members {
				a.members[i].had = got[a.members[i].id]
			}
			again := assign(name, a)
			for id := range got {
				if !got[id].same(again[id]) {
					rt.Fatalf("%s: nothing changed and %s moves from %v to %v", name, id, got[id], again[id])
				}
			}
			// One more member: it takes only what makes it even.
			more := a
			more.members = append(slices.Clone(a.members), assignee{id: "z", topics: names})
			checkAssigned(rt, more, assign(name, more), name == AssignorUniform && alike)
		}
	})
}

func checkAssigned(rt *rapid.T, a assignable, got map[string]assignment, even bool) {
	owner := map[topicPartition]string{}
	low, high := 1<<30, 0
	for _, m := range a.members {
		n := 0
		for tp := range got[m.id].all {
			if owner[tp] != "" {
				rt.Fatalf("%v has two owners", tp)
			}
			owner[tp] = m.id
			n++
			if !slices.ContainsFunc(m.topics, func(name string) bool { return a.topics[name].id == tp.topic }) {
				rt.Fatalf("%s is given %v, to which it does not subscribe", m.id, tp)
			}
		}
		low, high = min(low, n), max(high, n)
	}
	for name, t := range a.topics {
		wanted := slices.ContainsFunc(a.members, func(m assignee) bool { return slices.Contains(m.topics, name) })
		for p := range t.partitions {
			if _, ok := owner[topicPartition{t.id, p}]; ok != wanted {
				rt.Fatalf("%s-%d is subscribed to: %v, has an owner: %v", name, p, wanted, ok)
			}
		}
	}
	if even && high-low > 1 {
		rt.Fatalf("loads from %d to %d", low, high)
	}
}
