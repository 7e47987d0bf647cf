package node_test

import (
	"encoding/base64"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/wire"
)

func topicID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// stage is the world that the group dialogues play in: topics a and b, and one that was deleted.
type stage struct {
	*dialogue
	ids map[string][16]byte
}

// TestGroupsAnswerAsKafka asks what members, administrators and strangers ask of groups, right and wrong, in every
// version, and holds the answers against those of Apache Kafka 4.3.1.
func TestGroupsAnswerAsKafka(t *testing.T) {
	for name, play := range map[string]func(*stage){
		"simple": (*stage).simple, "joining": (*stage).joining, "generations": (*stage).generations, "static": (*stage).static,
		"admin": (*stage).admin, "consumer": (*stage).consumer, "settings": (*stage).settings,
	} {
		t.Run(name, func(t *testing.T) {
			addr := os.Getenv("HOLDFAST_GROUPS_OF")
			if addr == "" {
				addr = start(t, t.TempDir(), "group.initial.rebalance.delay.ms=0", "group.consumer.assignment.interval.ms=0").Address()
			}
			s := &stage{newDialogue(t, addr), map[string][16]byte{}}
			s.set()
			play(s)
			s.golden("testdata/groups-" + name + ".kafka-4.3.1.txt")
		})
	}
}

// set makes the topics and waits for the coordinator.
func (s *stage) set() {
	s.t.Helper()
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version, q.TimeoutMillis = 7, 10_000
	for _, name := range []string{"a", "b", "gone"} {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 2, 1
		q.Topics = append(q.Topics, topic)
	}
	s.ask("stage", q)
	m := kmsg.NewPtrMetadataRequest()
	m.Version = 12
	for _, topic := range s.ask("stage", m).(*kmsg.MetadataResponse).Topics {
		s.ids[*topic.Topic] = topic.TopicID
	}
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.Version, del.TimeoutMillis = 6, 10_000
	gone := kmsg.NewDeleteTopicsRequestTopic()
	gone.Topic = new(string)
	*gone.Topic = "gone"
	del.Topics = append(del.Topics, gone)
	s.ask("stage", del)
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorKeys = 4, []string{"g"}
	ready := kmsg.NewPtrDescribeGroupsRequest()
	for i := range 100 {
		ready.Groups = append(ready.Groups, "of some shard "+strconv.Itoa(i))
	}
	loading := func(g kmsg.DescribeGroupsResponseGroup) bool { return g.ErrorCode != 0 }
	for s.ask("stage", find).(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode != 0 ||
		slices.ContainsFunc(s.ask("stage", ready).(*kmsg.DescribeGroupsResponse).Groups, loading) {
		time.Sleep(50 * time.Millisecond) // sleep: Kafka creates the topic behind its answer, and loads after it
	}
	s.log.Reset()
	for _, name := range []string{"a", "b", "gone"} {
		s.known[topicID(s.ids[name])] = "<" + name + ">"
	}
	s.known[topicID([16]byte{})] = "<none>"
}

// each calls f for every version of an API.
func (s *stage) each(key int16, f func(v int16)) {
	api, _ := wire.Lookup(key)
	for v := api.Min; v <= api.Max; v++ {
		f(v)
	}
}

type place struct {
	topic     string
	partition int32
	offset    int64
	metadata  *string
}

func text(s string) *string { return &s }

// commit is an OffsetCommit by whoever; the topic is named by id where the version does that.
func (s *stage) commit(v int16, group, member string, generation int32, places ...place) *kmsg.OffsetCommitRequest {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Version, q.Group, q.MemberID, q.Generation, q.RetentionTimeMillis = v, group, member, generation, -1
	for _, p := range places {
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic, topic.TopicID = p.topic, s.ids[p.topic]
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Partition, part.Offset, part.LeaderEpoch, part.Metadata = p.partition, p.offset, -1, p.metadata
		topic.Partitions = append(topic.Partitions, part)
		q.Topics = append(q.Topics, topic)
	}
	return q
}

// fetch is an OffsetFetch; no topics at all stands for null, every topic.
func (s *stage) fetch(v int16, group string, topics ...string) *kmsg.OffsetFetchRequest {
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Version, q.Group = v, group
	if v == 1 && topics == nil {
		topics = []string{"a"}
	}
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	for _, name := range topics {
		q.Topics = append(q.Topics, kmsg.OffsetFetchRequestTopic{Topic: name, Partitions: []int32{0, 1, 7}})
		g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: name, TopicID: s.ids[name], Partitions: []int32{0, 1, 7}})
	}
	q.Groups = append(q.Groups, g)
	return q
}

// simple: consumers that commit without being members, and administrators.
func (s *stage) simple() {
	s.title("FindCoordinator")
	s.each(wire.KeyFindCoordinator, func(v int16) {
		for _, kind := range []int8{0, 7} {
			q := kmsg.NewPtrFindCoordinatorRequest()
			q.Version, q.CoordinatorType, q.CoordinatorKey, q.CoordinatorKeys = v, kind, "g", []string{"g"}
			s.ask("x", q)
		}
	})
	q := kmsg.NewPtrFindCoordinatorRequest()
	q.Version, q.CoordinatorKeys = 4, []string{""}
	s.ask("x", q)
	q.CoordinatorKeys = nil
	s.ask("x", q)

	s.title("commits without a member, in every version")
	s.each(wire.KeyOffsetCommit, func(v int16) {
		s.ask("x", s.commit(v, "simple", "", -1, place{"a", 0, 10 + int64(v), text("m")}, place{"a", 1, 5, nil}))
		s.ask("x", s.commit(v, "simple", "", -1, place{"a", 7, 1, nil}, place{"gone", 0, 1, nil}, place{"nowhere", 0, 1, nil}))
		s.ask("x", s.commit(v, "simple", "", -1, place{"a", 0, 3, text(strings.Repeat("m", 4097))}, place{"b", 0, 4, text(strings.Repeat("m", 4096))}))
		s.ask("x", s.commit(v, "simple", "", -1, place{"b", 1, -7, nil}, place{"a", -1, 0, nil}))
		s.ask("x", s.commit(v, "", "", -1, place{"a", 0, 1, nil}))
		s.ask("x", s.commit(v, "", "", 1, place{"a", 0, 1, nil}))
		s.ask("x", s.commit(v, "unheard", "", 1, place{"a", 0, 1, nil}))
		s.ask("x", s.commit(v, "unheard", "who", -1, place{"a", 0, 1, nil}))
		s.ask("x", s.commit(v, "unheard", "who", 3, place{"a", 0, 1, nil}))
		s.ask("x", s.commit(v, "simple", "who", 3, place{"a", 0, 1, nil}))
		s.ask("x", s.commit(v, "simple", "who", -1, place{"a", 0, 12, nil}))
		s.ask("x", s.commit(v, "simple", "", -1))
	})

	s.title("what was committed, in every version")
	s.each(wire.KeyOffsetFetch, func(v int16) {
		for _, stable := range []bool{false, true} {
			q := s.fetch(v, "simple", "a", "gone", "nowhere")
			q.RequireStable = stable
			s.ask("x", q)
		}
		s.ask("x", s.fetch(v, "simple"))
		s.ask("x", s.fetch(v, "unheard of", "a"))
		s.ask("x", s.fetch(v, "unheard of"))
		s.ask("x", s.fetch(v, "", "a"))
	})
	s.title("an administrator as a member that is not")
	for v := int16(9); v <= 10; v++ {
		for _, epoch := range []int32{-1, 0, 5} {
			q := s.fetch(v, "simple", "a")
			q.Groups[0].MemberID, q.Groups[0].MemberEpoch = text("who"), epoch
			s.ask("x", q)
		}
	}

	s.title("OffsetDelete")
	for _, group := range []string{"simple", "unheard of", ""} {
		q := kmsg.NewPtrOffsetDeleteRequest()
		q.Group = group
		q.Topics = []kmsg.OffsetDeleteRequestTopic{
			{Topic: "a", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}, {Partition: 7}}},
			{Topic: "nowhere", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}},
		}
		s.ask("x", q)
	}
	s.ask("x", s.fetch(8, "simple", "a"))
}

func (s *stage) join(v int16, group, member string, protocols ...string) *kmsg.JoinGroupRequest {
	q := kmsg.NewPtrJoinGroupRequest()
	q.Version, q.Group, q.MemberID, q.SessionTimeoutMillis, q.RebalanceTimeoutMillis, q.ProtocolType = v, group, member, 30_000, 30_000, "consumer"
	for _, p := range protocols {
		q.Protocols = append(q.Protocols, kmsg.JoinGroupRequestProtocol{Name: p, Metadata: subscription("a")})
	}
	return q
}

// subscription is what a classic consumer says it reads.
func subscription(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = topics
	return m.AppendTo(nil)
}

func (s *stage) sync(v int16, group, member string, generation int32, assign ...string) *kmsg.SyncGroupRequest {
	q := kmsg.NewPtrSyncGroupRequest()
	q.Version, q.Group, q.MemberID, q.Generation, q.ProtocolType, q.Protocol = v, group, member, generation, text("consumer"), text("range")
	for i, m := range assign {
		q.GroupAssignment = append(q.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m, MemberAssignment: []byte("part " + strconv.Itoa(i))})
	}
	return q
}

func heartbeat(v int16, group, member string, generation int32) *kmsg.HeartbeatRequest {
	q := kmsg.NewPtrHeartbeatRequest()
	q.Version, q.Group, q.MemberID, q.Generation = v, group, member, generation
	return q
}

func leave(v int16, group string, members ...string) *kmsg.LeaveGroupRequest {
	q := kmsg.NewPtrLeaveGroupRequest()
	q.Version, q.Group = v, group
	for _, m := range members {
		q.MemberID = m
		q.Members = append(q.Members, kmsg.LeaveGroupRequestMember{MemberID: m})
	}
	return q
}

// joining: every version of the classic protocol's requests, in a group of one.
func (s *stage) joining() {
	s.title("joins that are refused")
	s.each(wire.KeyJoinGroup, func(v int16) {
		s.ask("x", s.join(v, "", "", "range"))
		short := s.join(v, "g", "", "range")
		short.SessionTimeoutMillis = 5_999
		s.ask("x", short)
		long := s.join(v, "g", "", "range")
		long.SessionTimeoutMillis = 1_800_001
		s.ask("x", long)
		s.ask("x", s.join(v, "g", ""))
		untyped := s.join(v, "g", "", "range")
		untyped.ProtocolType = ""
		s.ask("x", untyped)
		s.ask("x", s.join(v, "g", "who", "range"))
		if v >= 5 {
			for i, instance := range []string{"", ".", "..", "a b", "ä/ö", strings.Repeat("i", 249), strings.Repeat("i", 250)} {
				q := s.join(v, "static-"+strconv.Itoa(int(v))+strconv.Itoa(i), "", "range")
				q.InstanceID = text(instance)
				s.ask("x", q)
			}
			q := s.join(v, "g", "who", "range")
			q.InstanceID = text("me")
			s.ask("x", q)
		}
	})

	s.title("a group of one in each version")
	s.each(wire.KeyJoinGroup, func(v int16) {
		group := "one-" + string(rune('0'+v))
		j := s.ask("m", s.join(v, group, "", "range", "roundrobin")).(*kmsg.JoinGroupResponse)
		member := j.MemberID
		if v >= 4 {
			j = s.ask("m", s.join(v, group, member, "range", "roundrobin")).(*kmsg.JoinGroupResponse)
		}
		gen := j.Generation
		s.ask("m", heartbeat(min(v, 4), group, member, gen))
		s.ask("m", s.commit(max(2, min(v, 9)), group, member, gen, place{"a", 0, 1, nil}))
		s.ask("m", s.sync(min(v, 5), group, member, gen, member))
		s.ask("m", heartbeat(min(v, 4), group, member, gen))
		s.ask("m", s.commit(max(2, min(v, 9)), group, member, gen, place{"a", 0, 1, nil}))
		s.ask("m", s.join(v, group, member, "range", "roundrobin"))
		s.ask("m", s.sync(min(v, 5), group, member, gen+1, member))
		s.ask("m", s.join(v, group, member, "nothing in common"))
		s.ask("x", s.join(v, group, "", "nothing else"))
		s.ask("m", leave(min(v, 5), group, member))
		s.ask("m", leave(min(v, 5), group, member))
		s.ask("m", heartbeat(min(v, 4), group, member, gen))
	})

	s.title("heartbeats, syncs and leaves of nobody")
	s.each(wire.KeyHeartbeat, func(v int16) {
		s.ask("x", heartbeat(v, "", "who", 1))
		s.ask("x", heartbeat(v, "unheard of", "who", 1))
		s.ask("x", heartbeat(v, "one-0", "who", 1))
	})
	s.each(wire.KeySyncGroup, func(v int16) {
		s.ask("x", s.sync(v, "", "who", 1))
		s.ask("x", s.sync(v, "unheard of", "who", 1))
		s.ask("x", s.sync(v, "one-0", "who", 1))
	})
	s.each(wire.KeyLeaveGroup, func(v int16) {
		s.ask("x", leave(v, "", "who"))
		s.ask("x", leave(v, "unheard of", "who"))
		s.ask("x", leave(v, "one-0", "who"))
		if v >= 3 {
			s.ask("x", leave(v, "one-0"))
			s.ask("x", leave(v, "one-0", "who", "whoelse"))
		}
	})
}

// twoMembers makes a stable group of two, led by the first.
func (s *stage) twoMembers(group string) (first, second string, generation int32) {
	first = s.ask("m1", s.join(9, group, "", "range")).(*kmsg.JoinGroupResponse).MemberID
	s.ask("m1", s.join(9, group, first, "range"))
	s.ask("m1", s.sync(5, group, first, 1, first))
	second = s.ask("m2", s.join(9, group, "", "range")).(*kmsg.JoinGroupResponse).MemberID
	s.post("m2", s.join(9, group, second, "range"))
	for s.ask("m1", heartbeat(4, group, first, 1)).(*kmsg.HeartbeatResponse).ErrorCode == 0 {
		s.log.Reset() // until the join above got there
	}
	s.post("m1", s.join(9, group, first, "range"))
	generation = s.hear("m1").(*kmsg.JoinGroupResponse).Generation
	s.hear("m2")
	s.post("m2", s.sync(5, group, second, generation))
	s.ask("m1", s.sync(5, group, first, generation, first, second))
	s.hear("m2")
	return first, second, generation
}

// generations: a group of two, and what is said too early, too late and by the wrong one.
func (s *stage) generations() {
	first, second, gen := s.twoMembers("g")
	s.log.Reset()
	s.title("a stable group of two")
	s.ask("m1", heartbeat(4, "g", first, gen))
	s.ask("m2", heartbeat(4, "g", second, gen))
	for _, of := range []int32{gen - 1, gen + 1, 0, -1, 1 << 30} {
		s.ask("m1", heartbeat(4, "g", first, of))
		s.ask("m1", s.sync(5, "g", first, of))
		s.each(wire.KeyOffsetCommit, func(v int16) { s.ask("m1", s.commit(v, "g", first, of, place{"a", 0, 1, nil})) })
	}
	s.ask("m1", heartbeat(4, "g", "who", gen))
	s.ask("m1", heartbeat(4, "g", "", gen))
	s.each(wire.KeyOffsetCommit, func(v int16) {
		s.ask("m1", s.commit(v, "g", "who", gen, place{"a", 0, 1, nil}))
		s.ask("m1", s.commit(v, "g", "", -1, place{"a", 0, 1, nil}))
		s.ask("m1", s.commit(v, "g", "", gen, place{"a", 0, 1, nil}))
		s.ask("m1", s.commit(v, "g", second, gen, place{"a", 0, 1, nil}, place{"gone", 0, 1, nil}))
	})
	wrong := s.sync(5, "g", first, gen)
	wrong.Protocol = text("roundrobin")
	s.ask("m1", wrong)
	wrong = s.sync(5, "g", first, gen)
	wrong.ProtocolType = text("connect")
	s.ask("m1", wrong)
	wrong = s.sync(5, "g", first, gen)
	wrong.InstanceID = text("nobody")
	s.ask("m1", wrong)
	beat := heartbeat(4, "g", first, gen)
	beat.InstanceID = text("nobody")
	s.ask("m1", beat)
	s.ask("m1", s.sync(5, "g", first, gen))
	s.ask("m2", s.sync(5, "g", second, gen))

	s.title("a follower joins again and nothing changes")
	s.ask("m2", s.join(9, "g", second, "range"))
	s.ask("m2", heartbeat(4, "g", second, gen))

	s.title("while the group rebalances")
	changed := s.join(9, "g", second, "range")
	changed.Protocols[0].Metadata = subscription("a", "b")
	s.post("m2", changed)
	for s.ask("m1", heartbeat(4, "g", first, gen)).(*kmsg.HeartbeatResponse).ErrorCode == 0 {
		s.log.Reset()
	}
	s.log.Reset()
	s.ask("m1", heartbeat(4, "g", first, gen))
	s.ask("m1", s.sync(5, "g", first, gen))
	s.ask("m1", s.commit(8, "g", first, gen, place{"a", 0, 1, nil}))
	s.ask("m1", s.fetch(8, "g", "a"))
	s.post("m1", s.join(9, "g", first, "range"))
	s.hear("m1")
	s.hear("m2")

	s.title("while the leader divides")
	gen++
	s.ask("m1", heartbeat(4, "g", first, gen))
	s.ask("m1", s.commit(8, "g", first, gen, place{"a", 0, 2, nil}))
	s.ask("m1", s.commit(8, "g", first, gen-1, place{"a", 0, 2, nil}))
	s.post("m2", s.sync(5, "g", second, gen))

	s.title("the leader gives a stranger a part, and the follower none")
	s.ask("m1", s.sync(5, "g", first, gen, first, "who"))
	s.hear("m2")
	s.ask("m2", heartbeat(4, "g", second, gen))

	s.title("the follower leaves, the leader alone stays")
	s.ask("m2", leave(5, "g", second))
	s.ask("m1", heartbeat(4, "g", first, gen))
	s.ask("m1", s.join(9, "g", first, "range"))
	s.ask("m1", s.sync(5, "g", first, gen+1, first))
	s.ask("m1", leave(5, "g", "who", first))
	s.ask("m1", s.commit(8, "g", first, gen+1, place{"a", 0, 2, nil}))
	s.ask("m1", s.commit(8, "g", "", -1, place{"a", 0, 2, nil}))
}

// static: members that come back under the name of their instance.
func (s *stage) static() {
	join := func(member, instance string, topics ...string) *kmsg.JoinGroupRequest {
		q := s.join(9, "st", member, "range")
		q.InstanceID = text(instance)
		q.Protocols[0].Metadata = subscription(topics...)
		return q
	}
	s.title("a static member joins at once")
	first := s.ask("m1", join("", "i1", "a")).(*kmsg.JoinGroupResponse)
	s.ask("m1", s.sync(5, "st", first.MemberID, first.Generation, first.MemberID))
	s.title("its next run takes its place without a rebalance")
	again := s.ask("m2", join("", "i1", "a")).(*kmsg.JoinGroupResponse)
	s.ask("m2", s.sync(5, "st", again.MemberID, again.Generation, again.MemberID))
	s.title("the run before is fenced")
	fenced := heartbeat(4, "st", first.MemberID, again.Generation)
	fenced.InstanceID = text("i1")
	s.ask("m1", fenced)
	s.ask("m1", heartbeat(4, "st", first.MemberID, again.Generation))
	sync := s.sync(5, "st", first.MemberID, again.Generation)
	sync.InstanceID = text("i1")
	s.ask("m1", sync)
	s.each(wire.KeyOffsetCommit, func(v int16) {
		commit := s.commit(v, "st", first.MemberID, again.Generation, place{"a", 0, 1, nil})
		commit.InstanceID = text("i1")
		s.ask("m1", commit)
	})
	s.ask("m1", join(first.MemberID, "i1", "a"))
	gone := leave(5, "st", first.MemberID)
	gone.Members[0].InstanceID = text("i1")
	s.ask("m1", gone)
	s.title("an administrator removes it by its instance")
	admin := leave(5, "st", "")
	admin.Members[0].InstanceID = text("nobody")
	s.ask("x", admin)
	admin.Members[0].InstanceID = text("i1")
	s.ask("x", admin)
	s.ask("m2", heartbeat(4, "st", again.MemberID, again.Generation))
	s.title("with another subscription it rebalances")
	one := s.ask("m1", join("", "i1", "a")).(*kmsg.JoinGroupResponse)
	s.ask("m1", s.sync(5, "st", one.MemberID, one.Generation, one.MemberID))
	two := s.ask("m2", join("", "i1", "a", "b")).(*kmsg.JoinGroupResponse)
	s.ask("m2", s.sync(5, "st", two.MemberID, two.Generation, two.MemberID))
}

// admin: what tools ask.
func (s *stage) admin() {
	first, _, gen := s.twoMembers("live")
	s.ask("m1", s.commit(8, "live", first, gen, place{"a", 0, 7, text("m")}))
	s.ask("x", s.commit(8, "simple", "", -1, place{"a", 0, 7, nil}))
	pending := s.ask("x", s.join(9, "pending", "", "range")).(*kmsg.JoinGroupResponse).MemberID
	s.log.Reset()
	s.title("DescribeGroups")
	s.each(wire.KeyDescribeGroups, func(v int16) {
		for _, group := range []string{"live", "simple", "pending", "unheard of", ""} {
			q := kmsg.NewPtrDescribeGroupsRequest()
			q.Version, q.Groups, q.IncludeAuthorizedOperations = v, []string{group}, group == "live"
			s.ask("x", q)
		}
	})
	s.title("ListGroups")
	s.each(wire.KeyListGroups, func(v int16) {
		for _, states := range [][]string{nil, {"Stable"}, {"stable"}, {"Empty"}, {"nonsense"}, {"PreparingRebalance"}} {
			for _, types := range [][]string{nil, {"classic"}, {"Consumer"}, {"nonsense"}} {
				q := kmsg.NewPtrListGroupsRequest()
				q.Version, q.StatesFilter, q.TypesFilter = v, states, types
				s.list(q)
			}
		}
	})
	s.title("OffsetDelete of what a member reads")
	q := kmsg.NewPtrOffsetDeleteRequest()
	q.Group = "live"
	q.Topics = []kmsg.OffsetDeleteRequestTopic{
		{Topic: "a", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}},
		{Topic: "b", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}},
	}
	s.ask("x", q)
	s.title("DeleteGroups")
	s.each(wire.KeyDeleteGroups, func(v int16) {
		for _, group := range []string{"live", "simple", "pending", "unheard of", "", "simple"} {
			q := kmsg.NewPtrDeleteGroupsRequest()
			q.Version, q.Groups = v, []string{group}
			s.ask("x", q)
		}
	})
	s.ask("x", s.fetch(8, "simple", "a"))
	s.ask("x", s.join(9, "pending", pending, "range"))
}

// list asks for groups and writes down those of the dialogue, sorted.
func (s *stage) list(q *kmsg.ListGroupsRequest) {
	s.post("x", q)
	frame, err := s.conn("x").next()
	if err != nil {
		s.t.Fatal(err)
	}
	body := frame[4:]
	if q.IsFlexible() {
		body = body[1:]
	}
	resp := q.ResponseKind().(*kmsg.ListGroupsResponse)
	if err := resp.ReadFrom(body); err != nil {
		s.t.Fatal(err)
	}
	found := map[string]kmsg.ListGroupsResponseGroup{}
	for _, g := range resp.Groups {
		found[g.Group] = g
	}
	s.log.WriteString("x ListGroups " + string(rune('0'+q.Version)) + " " + strings.Join(q.StatesFilter, ",") + "/" + strings.Join(q.TypesFilter, ",") + ":")
	if resp.ErrorCode != 0 {
		s.log.WriteString(" " + wire.Code(resp.ErrorCode).String())
	}
	for _, name := range []string{"live", "pending", "simple"} {
		if g, ok := found[name]; ok {
			s.log.WriteString(" " + name + "(" + g.ProtocolType + " " + g.GroupState + " " + g.GroupType + ")")
		}
	}
	s.log.WriteString("\n")
}

func (s *stage) beat(v int16, group, member string, epoch int32) *kmsg.ConsumerGroupHeartbeatRequest {
	q := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	q.Version, q.Group, q.MemberID, q.MemberEpoch, q.RebalanceTimeoutMillis = v, group, member, epoch, -1
	if epoch == 0 {
		q.RebalanceTimeoutMillis, q.SubscribedTopicNames, q.Topics = 30_000, []string{"a"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
	return q
}

// consumer: the protocol of KIP-848.
func (s *stage) consumer() {
	const who = "11111111-1111-1111-1111-111111111111"
	s.title("heartbeats that are refused")
	s.each(wire.KeyConsumerGroupHeartbeat, func(v int16) {
		refused := func(change func(q *kmsg.ConsumerGroupHeartbeatRequest)) {
			q := s.beat(v, "c", who, 0)
			change(q)
			s.ask("x", q)
		}
		refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.Group = "" })
		refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.InstanceID = text("") })
		refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.RackID = text("") })
		refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.RebalanceTimeoutMillis = -1 })
		refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.Topics = nil })
		refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.SubscribedTopicNames = nil })
		refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = -3 })
		refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = -2 })
		refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = -1 })
		refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = 1 })
		refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.ServerAssignor = text("nonsense") })
		if v >= 1 {
			refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberID = "" })
			refused(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.SubscribedTopicRegex = text("(") })
		}
	})
	s.title("a member joins, and lives")
	s.ask("m", s.beat(1, "c", who, 0))
	join := s.beat(1, "c", who, 0)
	join.SubscribedTopicNames = []string{"a", "b"}
	s.ask("m", join)
	join.SubscribedTopicNames = []string{"a"}
	r := s.ask("m", join).(*kmsg.ConsumerGroupHeartbeatResponse)
	epoch := r.MemberEpoch
	owns := s.beat(1, "c", who, epoch)
	owns.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: s.ids["a"], Partitions: []int32{0, 1}}}
	s.ask("m", owns)
	s.ask("m", s.beat(1, "c", who, epoch))
	s.title("the wrong one, and the wrong epoch")
	s.ask("x", s.beat(1, "c", "nobody", epoch))
	s.ask("x", s.beat(1, "nowhere", who, epoch))
	s.ask("m", s.beat(1, "c", who, epoch+1))
	s.ask("m", s.beat(1, "c", who, 1<<30))
	s.ask("m", s.beat(1, "c", who, epoch-1))
	s.title("its commits")
	s.each(wire.KeyOffsetCommit, func(v int16) {
		s.ask("m", s.commit(v, "c", who, epoch, place{"a", 0, 1, nil}))
		s.ask("m", s.commit(v, "c", who, epoch+1, place{"a", 0, 1, nil}))
		s.ask("m", s.commit(v, "c", who, -1, place{"a", 0, 1, nil}))
		s.ask("m", s.commit(v, "c", "nobody", epoch, place{"a", 0, 1, nil}))
		s.ask("x", s.commit(v, "c", "", -1, place{"a", 0, 1, nil}))
	})
	for v := int16(9); v <= 10; v++ {
		for _, of := range []int32{epoch, epoch + 1, -1} {
			q := s.fetch(v, "c", "a")
			q.Groups[0].MemberID, q.Groups[0].MemberEpoch = text(who), of
			s.ask("m", q)
		}
		q := s.fetch(v, "c", "a")
		q.Groups[0].MemberID, q.Groups[0].MemberEpoch = text("nobody"), epoch
		s.ask("m", q)
	}
	s.title("a classic member comes to it")
	s.ask("y", heartbeat(4, "c", "who", 1))
	s.ask("y", s.sync(5, "c", "who", 1))
	s.ask("y", leave(5, "c", "who"))
	s.title("administrators look at it")
	for v := int16(0); v <= 1; v++ {
		for _, group := range []string{"c", "unheard of", ""} {
			q := kmsg.NewPtrConsumerGroupDescribeRequest()
			q.Version, q.Groups = v, []string{group}
			s.ask("x", q)
		}
	}
	old := kmsg.NewPtrDescribeGroupsRequest()
	old.Groups = []string{"c"}
	for old.Version = 0; old.Version <= 6; old.Version++ {
		s.ask("x", old)
	}
	del := kmsg.NewPtrDeleteGroupsRequest()
	del.Version, del.Groups = 2, []string{"c"}
	s.ask("x", del)
	offsets := kmsg.NewPtrOffsetDeleteRequest()
	offsets.Group, offsets.Topics = "c", []kmsg.OffsetDeleteRequestTopic{{Topic: "a", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}}}
	s.ask("x", offsets)
	s.title("it leaves")
	s.ask("m", s.beat(1, "c", who, -1))
	s.ask("m", s.beat(1, "c", who, -1))
	s.ask("x", del)

	s.title("a static member")
	static := s.beat(1, "cs", who, 0)
	static.InstanceID = text("i1")
	r = s.ask("m", static).(*kmsg.ConsumerGroupHeartbeatResponse)
	usurper := s.beat(1, "cs", "33333333-3333-3333-3333-333333333333", 0)
	usurper.InstanceID = text("i1")
	s.ask("n", usurper)
	away := s.beat(1, "cs", who, -2)
	away.InstanceID = text("i1")
	s.ask("m", away)
	s.ask("n", usurper)
	back := s.beat(1, "cs", who, r.MemberEpoch)
	back.InstanceID = text("i1")
	s.ask("m", back)
	bye := s.beat(1, "cs", "33333333-3333-3333-3333-333333333333", -1)
	bye.InstanceID = text("i1")
	s.ask("n", bye)
}

// settings: what may be set for one group.
func (s *stage) settings() {
	set := func(group, name, value string) {
		q := kmsg.NewPtrIncrementalAlterConfigsRequest()
		q.Version = 1
		q.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
			ResourceType: kmsg.ConfigResourceTypeGroupConfig, ResourceName: group,
			Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}},
		}}
		s.ask("x", q)
	}
	s.title("set")
	set("", "consumer.session.timeout.ms", "50000")
	set("g", "consumer.session.timeout.ms", "44999")
	set("g", "consumer.session.timeout.ms", "60001")
	set("g", "consumer.session.timeout.ms", "fifty")
	set("g", "consumer.session.timeout.ms", "50000")
	set("g", "consumer.heartbeat.interval.ms", "4999")
	set("g", "consumer.heartbeat.interval.ms", "15001")
	set("g", "consumer.heartbeat.interval.ms", "6000")
	set("g", "consumer.assignment.interval.ms", "-1")
	set("g", "consumer.assignment.interval.ms", "15001")
	set("g", "consumer.assignment.interval.ms", "20")
	set("g", "no.such.key", "20")
	s.title("describe")
	for _, group := range []string{"g", "unheard of", ""} {
		q := kmsg.NewPtrDescribeConfigsRequest()
		q.Version, q.IncludeSynonyms = 4, true
		q.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeGroupConfig, ResourceName: group, ConfigNames: []string{
			"consumer.session.timeout.ms", "consumer.heartbeat.interval.ms",
		}}}
		s.ask("x", q)
	}
	list := kmsg.NewPtrListConfigResourcesRequest()
	list.Version, list.ResourceTypes = 1, []int8{int8(kmsg.ConfigResourceTypeGroupConfig)}
	s.ask("x", list)
}
