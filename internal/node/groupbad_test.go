package node_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/node"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// groupOf is a world of topics a and b with a coordinator that is ready.
func groupOf(t *testing.T, n *node.Node) *stage {
	t.Helper()
	s := &stage{newDialogue(t, n.Address()), map[string][16]byte{}}
	s.set()
	return s
}

// readers are members that go on reading, commit, and notice when somebody disturbs them.
type readers struct {
	t    *testing.T
	b    *bystander
	c    *kgo.Client
	lost chan struct{}
}

// newReaders makes a group of one real consumer that reads what a bystander writes.
func newReaders(t *testing.T, n *node.Node) *readers {
	r := &readers{t: t, b: newBystander(t, n), lost: make(chan struct{}, 100)}
	gone := func(_ any) { r.lost <- struct{}{} }
	r.c = client(t, n, kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("bystander"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { gone(m) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			if len(m) > 0 {
				gone(m)
			}
		}))
	r.read(10)
	return r
}

func (r *readers) read(want int) {
	r.t.Helper()
	for got := 0; got < want; {
		fetches := r.c.PollFetches(r.t.Context())
		if err := fetches.Err(); err != nil {
			r.t.Fatal(err)
		}
		got += fetches.NumRecords()
	}
	if err := r.c.CommitUncommittedOffsets(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// undisturbed reads what is written now, and knows of no rebalance.
func (r *readers) undisturbed() {
	r.t.Helper()
	r.b.unharmed()
	r.read(10)
	select {
	case <-r.lost:
		r.t.Error("a member of another group lost its partitions")
	default:
	}
}

// A member that joins and never syncs is out when the rebalance time-out it gave has passed; the others go on.
func TestGroupMemberThatNeverSyncs(t *testing.T) {
	n := start(t, t.TempDir(), "group.initial.rebalance.delay.ms=0")
	others := newReaders(t, n)
	s := groupOf(t, n)
	join := func(member string) *kmsg.JoinGroupRequest {
		q := s.join(9, "g", member, "range")
		q.RebalanceTimeoutMillis = 300
		return q
	}
	first := s.ask("m1", join("")).(*kmsg.JoinGroupResponse).MemberID
	s.ask("m1", join(first))
	s.ask("m1", s.sync(5, "g", first, 1, first))
	second := s.ask("m2", join("")).(*kmsg.JoinGroupResponse).MemberID
	s.post("m2", join(second))
	eventually(t, "the first is told to rejoin", func() bool {
		return s.ask("m1", heartbeat(4, "g", first, 1)).(*kmsg.HeartbeatResponse).ErrorCode == int16(wire.RebalanceInProgress)
	})
	if r := s.ask("m1", join(first)).(*kmsg.JoinGroupResponse); r.ErrorCode != 0 || r.Generation != 2 {
		t.Fatalf("%+v", r)
	}
	s.hear("m2")
	s.ask("m1", s.sync(5, "g", first, 2, first, second))
	eventually(t, "the second is out", func() bool {
		return s.ask("m2", heartbeat(4, "g", second, 2)).(*kmsg.HeartbeatResponse).ErrorCode == int16(wire.UnknownMemberID)
	})
	if r := s.ask("m1", join(first)).(*kmsg.JoinGroupResponse); r.ErrorCode != 0 || r.Generation != 3 || len(r.Members) != 1 {
		t.Fatalf("%+v", r)
	}
	if r := s.ask("m1", s.sync(5, "g", first, 3, first)).(*kmsg.SyncGroupResponse); r.ErrorCode != 0 {
		t.Fatalf("%+v", r)
	}
	others.undisturbed()
}

// What a leader gives out is between the members: a partition twice, a topic that does not exist, bytes that mean
// nothing. The broker hands it on; what it guards are commits.
func TestGroupLeaderThatAssignsNonsense(t *testing.T) {
	n := start(t, t.TempDir(), "group.initial.rebalance.delay.ms=0")
	others := newReaders(t, n)
	s := groupOf(t, n)
	first, second, gen := s.twoMembers("g")
	rejoin := s.join(9, "g", second, "range")
	rejoin.Protocols[0].Metadata = subscription("a", "b")
	s.post("m2", rejoin)
	eventually(t, "the leader is told to rejoin", func() bool {
		return s.ask("m1", heartbeat(4, "g", first, gen)).(*kmsg.HeartbeatResponse).ErrorCode == int16(wire.RebalanceInProgress)
	})
	s.ask("m1", s.join(9, "g", first, "range"))
	s.hear("m2")
	gen++
	nonsense := kmsg.NewConsumerMemberAssignment()
	for _, topic := range []string{"a", "a", "nowhere"} {
		nonsense.Topics = append(nonsense.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic, Partitions: []int32{0, 0, 99}})
	}
	s.post("m2", s.sync(5, "g", second, gen))
	sync := s.sync(5, "g", first, gen, first, second, first)
	for i := range sync.GroupAssignment {
		sync.GroupAssignment[i].MemberAssignment = nonsense.AppendTo(nil)
	}
	sync.GroupAssignment[2].MemberAssignment = []byte("\xff\xff")
	for i, r := range []kmsg.Response{s.ask("m1", sync), s.hear("m2")} {
		got := r.(*kmsg.SyncGroupResponse)
		want := [][]byte{[]byte("\xff\xff"), nonsense.AppendTo(nil)}[i] // of two parts for one member the later one counts
		if got.ErrorCode != 0 || string(got.MemberAssignment) != string(want) {
			t.Errorf("member %d was given %q (%v)", i+1, got.MemberAssignment, wire.Code(got.ErrorCode))
		}
	}
	for who, member := range map[string]string{"m1": first, "m2": second} {
		r := s.ask(who, s.commit(8, "g", member, gen, place{"a", 0, 5, nil}, place{"a", 99, 5, nil}, place{"nowhere", 0, 5, nil})).(*kmsg.OffsetCommitResponse)
		if got := codes(r); got != "[0 3 3]" {
			t.Errorf("%s commits what it was given: %s", who, got)
		}
	}
	others.undisturbed()
}

// codes are the codes of a commit, in order.
func codes(r *kmsg.OffsetCommitResponse) string {
	var out []int16
	for _, topic := range r.Topics {
		for _, p := range topic.Partitions {
			out = append(out, p.ErrorCode)
		}
	}
	return fmt.Sprint(out)
}

// A subscription of 10 MB does not fit into a record: who brings it is turned away, and the group goes on without it.
func TestGroupSubscriptionOfTenMegabytes(t *testing.T) {
	n := start(t, t.TempDir(), "group.initial.rebalance.delay.ms=0")
	others := newReaders(t, n)
	s := groupOf(t, n)
	before := residentBytes(t)
	for range 20 {
		big := s.join(3, "g", "", "range")
		big.Protocols[0].Metadata = make([]byte, 10<<20)
		if r := s.ask("big", big).(*kmsg.JoinGroupResponse); r.ErrorCode != int16(wire.MessageTooLarge) {
			t.Fatalf("%v", wire.Code(r.ErrorCode))
		}
	}
	if grown := residentBytes(t) - before; grown > 200<<20 {
		t.Errorf("the process grew by %d MiB", grown>>20)
	}
	if r := s.ask("m", s.join(3, "g", "", "range")).(*kmsg.JoinGroupResponse); r.ErrorCode != 0 || len(r.Members) != 1 {
		t.Errorf("a reasonable member joins: %+v", r)
	}
	bigger := dial(t, n)
	bigger.send(announced(wire.KeyJoinGroup, 3, 16<<20+1, 0))
	bigger.closed("a join above 16 MiB")
	others.undisturbed()
}

// Regular expressions that would take for ever elsewhere are refused or take their time in proportion to the names.
func TestGroupRegexThatExplodes(t *testing.T) {
	n := start(t, t.TempDir())
	others := newReaders(t, n)
	createTopic(t, n, strings.Repeat("a", 249), 1)
	s := groupOf(t, n)
	for pattern, want := range map[string]wire.Code{
		"(a+)+$": wire.None, "(a|aa)+b": wire.None, "(a*)*c": wire.None, strings.Repeat("(a?)", 1000) + strings.Repeat("a", 90): wire.None,
		"((((a{1000}){1000}){1000}){1000})": wire.InvalidRegularExpression, strings.Repeat("(", 4000): wire.InvalidRegularExpression,
		strings.Repeat("a|", 3000): wire.InvalidRegularExpression, "(?<=a)b": wire.InvalidRegularExpression, "\xff": wire.InvalidRegularExpression,
	} {
		q := s.beat(1, "g", "11111111-1111-1111-1111-111111111111", 0)
		q.SubscribedTopicNames, q.SubscribedTopicRegex = nil, &pattern
		began := time.Now()
		r := s.ask("m", q).(*kmsg.ConsumerGroupHeartbeatResponse)
		if r.ErrorCode != int16(want) {
			t.Errorf("%.30q: %v, want %v (%s)", pattern, wire.Code(r.ErrorCode), want, deref(r.ErrorMessage))
		}
		if took := time.Since(began); took > 10*time.Second { // what explodes takes years
			t.Errorf("%.30q took %v", pattern, took)
		}
	}
	others.undisturbed()
}

// A group's name may have 32767 bytes, which is what the log can hold; longer ones break the protocol.
func TestGroupNameOf40KB(t *testing.T) {
	n := start(t, t.TempDir(), "group.initial.rebalance.delay.ms=0")
	others := newReaders(t, n)
	s := groupOf(t, n)
	long := strings.Repeat("g", 40_000)
	describe, list := kmsg.NewPtrDescribeGroupsRequest(), kmsg.NewPtrOffsetFetchRequest()
	describe.Version, describe.Groups = 6, []string{long}
	list.Version = 9
	list.Groups = []kmsg.OffsetFetchRequestGroup{{Group: long, MemberEpoch: -1}}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorKeys = 6, []string{long}
	for _, q := range []kmsg.Request{
		s.join(9, long, "", "range"), s.sync(5, long, "m", 1), heartbeat(4, long, "m", 1), leave(5, long, "m"), s.commit(9, long, "", -1, place{"a", 0, 1, nil}),
		s.beat(1, long, "m", 0), describe, list, find,
	} {
		s.post("x", q)
		if s.hear("x") != nil {
			t.Errorf("%T with a name of 40 KB was answered", q)
		}
	}
	longest := long[:32767]
	if r := s.ask("x", s.commit(9, longest, "", -1, place{"a", 0, 1, nil})).(*kmsg.OffsetCommitResponse); codes(r) != "[0]" {
		t.Errorf("a commit under the longest name: %s", codes(r))
	}
	if r := s.ask("x", s.fetch(9, longest, "a")).(*kmsg.OffsetFetchResponse); r.Groups[0].Topics[0].Partitions[0].Offset != 1 {
		t.Errorf("%+v", r)
	}
	others.undisturbed()
}

// Epochs and generations nobody has reached yet are no reason to change anything.
func TestGroupHeartbeatsFromTheFuture(t *testing.T) {
	n := start(t, t.TempDir(), "group.initial.rebalance.delay.ms=0")
	others := newReaders(t, n)
	s := groupOf(t, n)
	first, second, gen := s.twoMembers("g")
	const who = "11111111-1111-1111-1111-111111111111"
	epoch := s.ask("c", s.beat(1, "c", who, 0)).(*kmsg.ConsumerGroupHeartbeatResponse).MemberEpoch
	for _, ahead := range []int32{1, 1000, 1<<31 - 1 - max(gen, epoch)} {
		if r := s.ask("m1", heartbeat(4, "g", first, gen+ahead)).(*kmsg.HeartbeatResponse); r.ErrorCode != int16(wire.IllegalGeneration) {
			t.Errorf("generation %d: %v", gen+ahead, wire.Code(r.ErrorCode))
		}
		if r := s.ask("c", s.beat(1, "c", who, epoch+ahead)).(*kmsg.ConsumerGroupHeartbeatResponse); r.ErrorCode != int16(wire.FencedMemberEpoch) {
			t.Errorf("epoch %d: %v", epoch+ahead, wire.Code(r.ErrorCode))
		}
	}
	for _, m := range []string{first, second} {
		if r := s.ask("m1", heartbeat(4, "g", m, gen)).(*kmsg.HeartbeatResponse); r.ErrorCode != 0 {
			t.Errorf("the member itself: %v", wire.Code(r.ErrorCode))
		}
	}
	if r := s.ask("c", s.beat(1, "c", who, epoch)).(*kmsg.ConsumerGroupHeartbeatResponse); r.ErrorCode != 0 {
		t.Errorf("the member itself: %v", wire.Code(r.ErrorCode))
	}
	others.undisturbed()
}

// A topic that was deleted takes its committed offsets with it, and one of the same name inherits none.
func TestGroupCommitsOfADeletedTopic(t *testing.T) {
	n := start(t, t.TempDir())
	others := newReaders(t, n)
	s := groupOf(t, n)
	if r := s.ask("x", s.commit(9, "g", "", -1, place{"a", 0, 7, nil}, place{"b", 0, 8, nil})).(*kmsg.OffsetCommitResponse); codes(r) != "[0 0]" {
		t.Fatal(codes(r))
	}
	old := s.ids["a"]
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.Version, del.TimeoutMillis = 5, 10_000
	del.TopicNames = []string{"a"}
	s.ask("x", del)
	if r := s.ask("x", s.commit(9, "g", "", -1, place{"a", 0, 9, nil})).(*kmsg.OffsetCommitResponse); codes(r) != "[3]" {
		t.Errorf("by name: %s", codes(r))
	}
	if r := s.ask("x", s.commit(10, "g", "", -1, place{"a", 0, 9, nil})).(*kmsg.OffsetCommitResponse); codes(r) != "[100]" {
		t.Errorf("by id: %s", codes(r))
	}
	createTopic(t, n, "a", 2)
	again := s.ask("x", s.fetch(9, "g", "a", "b")).(*kmsg.OffsetFetchResponse).Groups[0].Topics
	if a, b := again[0].Partitions[0].Offset, again[1].Partitions[0].Offset; a != -1 || b != 8 {
		t.Errorf("the new topic inherits %d; the other has %d", a, b)
	}
	s.ids["a"] = old
	if r := s.ask("x", s.commit(10, "g", "", -1, place{"a", 0, 9, nil})).(*kmsg.OffsetCommitResponse); codes(r) != "[100]" {
		t.Errorf("by the id of the topic that is gone: %s", codes(r))
	}
	eventually(t, "the deletion is told", func() bool {
		_, page := get(t, n, "/metrics")
		return strings.Contains(page, `holdfast_events_total{kind="offset_topic_gone"} 1`)
	})
	others.undisturbed()
}

// Who waits for other members holds none of the memory that requests are read with, and nothing at all once it is gone.
func TestGroupJoinsThatWait(t *testing.T) {
	n := start(t, t.TempDir(), "group.initial.rebalance.delay.ms=60000", "memory.budget.bytes=134217728")
	s := groupOf(t, n)
	good := newBystander(t, n)
	const waiting = 330
	joinOf := func(i int) *kmsg.JoinGroupRequest {
		q := s.join(3, fmt.Sprintf("g%d", i%100), "", "range")
		q.Protocols[0].Metadata = make([]byte, 50_000)
		return q
	}
	var conns []*raw
	for i := range waiting {
		c := dial(t, n)
		c.post(1, joinOf(i))
		conns = append(conns, c)
	}
	used := func() (bytes int) {
		_, page := get(t, n, "/metrics")
		_, after, _ := strings.Cut(page, "\nholdfast_memory_used_bytes ")
		value, _, _ := strings.Cut(after, "\n")
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		return int(f)
	}
	own := waiting * (len(kmsg.NewRequestFormatter(kmsg.FormatterClientID("rig")).AppendRequest(nil, joinOf(0), 1)) - 4)
	const others = 20_000 // a fetch of the bystander waits, too
	eventually(t, "the joins wait, and take what they are long", func() bool { return used() >= own && used() < own+others })
	good.unharmed()
	big := joinOf(0)
	big.Group, big.Protocols[0].Metadata = "alone", make([]byte, 1<<20-10_000)
	last := dial(t, n)
	last.post(1, big)
	eventually(t, "the last one for whom there is room waits", func() bool { return used() > own+1<<20-10_000 })
	conns = append(conns, last)
	c := dial(t, n)
	c.post(1, big)
	if r := c.answer(1, big).(*kmsg.JoinGroupResponse); r.ErrorCode != int16(wire.CoordinatorNotAvailable) {
		t.Errorf("one that would make those who wait take more than there is: %v", wire.Code(r.ErrorCode))
	}
	for _, c := range conns {
		c.Close()
	}
	eventually(t, "the joins are over", func() bool { return used() < others })
	good.unharmed()
}

// A node that stops does not wait for members.
func TestGroupJoinsEndWithTheNode(t *testing.T) {
	n := launch(t, vfs.OS(), t.TempDir(), "group.initial.rebalance.delay.ms=60000")
	s := groupOf(t, n)
	c := dial(t, n)
	c.post(1, s.join(3, "g", "", "range"))
	eventually(t, "the join waits", func() bool {
		_, page := get(t, n, "/metrics")
		return strings.Contains(page, "\nholdfast_requests_in_flight 1\n")
	})
	began := time.Now()
	stop(t, n)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	frame, err := c.next()
	if err != nil {
		t.Fatalf("who waits is told: %v", err)
	}
	if code := wire.Code(binary.BigEndian.Uint16(frame[8:])); code != wire.NotCoordinator && code != wire.CoordinatorNotAvailable {
		t.Errorf("who waits is told %v", code)
	}
}

// The next request may come while one waits: it is answered after it.
func TestGroupJoinAndTheRequestBehindIt(t *testing.T) {
	n := start(t, t.TempDir(), "group.initial.rebalance.delay.ms=200")
	s := groupOf(t, n)
	c := dial(t, n)
	join, beat := s.join(3, "g", "", "range"), heartbeat(3, "g", "who", 1)
	c.post(1, join)
	c.post(2, beat)
	if r := c.answer(1, join).(*kmsg.JoinGroupResponse); r.ErrorCode != 0 {
		t.Errorf("%+v", r)
	}
	if r := c.answer(2, beat).(*kmsg.HeartbeatResponse); r.ErrorCode != int16(wire.UnknownMemberID) {
		t.Errorf("%+v", r)
	}
}

// The topic of the coordinators is theirs: clients see that it is internal, and cannot write to it or grow it.
func TestTheTopicOfTheCoordinatorsIsInternal(t *testing.T) {
	n := start(t, t.TempDir(), "offsets.topic.num.partitions=3")
	groupOfNothing(t, n)
	c := dial(t, n)
	const name = "__consumer_offsets"
	topic := askMetadata(c, 12, false, name).Topics[0]
	if !topic.IsInternal || len(topic.Partitions) != 3 {
		t.Errorf("internal %v, %d partitions", topic.IsInternal, len(topic.Partitions))
	}
	if r := produced(c.ask(produceOf(name, 0, -1, goodBatch(t)))); r.ErrorCode != int16(wire.InvalidTopicException) {
		t.Errorf("a client's produce: %v", wire.Code(r.ErrorCode))
	}
	grow := kmsg.NewPtrCreatePartitionsRequest()
	grow.Version, grow.TimeoutMillis = 3, 5000
	grow.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: name, Count: 4}}
	if r := c.ask(grow).(*kmsg.CreatePartitionsResponse).Topics[0]; r.ErrorCode != int16(wire.InvalidPartitions) {
		t.Errorf("more partitions: %v", wire.Code(r.ErrorCode))
	}
}
