package node_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/base/event"
	"holdfast/internal/node"
)

// told reads the event topic until it holds an event of the kind, and gives the one that came last.
func told(t *testing.T, n *node.Node, kind *event.Kind) event.Event {
	t.Helper()
	c := client(t, n, kgo.ConsumeTopics(event.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.ClientID("looks at events"))
	var last event.Event
	for found := false; !found; {
		fetches := c.PollFetches(t.Context())
		for _, r := range fetches.Records() {
			var e event.Event
			if err := e.UnmarshalJSON(r.Value); err != nil {
				t.Fatal(err)
			}
			if e.Kind.Name == kind.Name {
				last, found = e, true
			}
		}
	}
	return last
}

// says holds an event against what it must say.
func says(t *testing.T, e event.Event, group, topic string, partition int32, fields map[string]int64) {
	t.Helper()
	if e.Group != group || e.Topic != topic || e.Partition != partition {
		t.Errorf("%s is about group %q, %s-%d", e.Kind.Name, e.Group, e.Topic, e.Partition)
	}
	for name, want := range fields { // order-free
		if got, _ := e.Value(name); got != strconv.FormatInt(want, 10) {
			t.Errorf("%s: %s is %s, want %d: %s", e.Kind.Name, name, got, want, e.Sentence())
		}
	}
}

// filled is a node with a topic of 100 records in one partition, of which those from 40 on are left.
func filled(t *testing.T, sets ...string) *node.Node {
	t.Helper()
	n := start(t, t.TempDir(), append(sets, "group.initial.rebalance.delay.ms=0")...)
	createTopic(t, n, "orders", 1)
	for range 10 {
		produceBatch(t, n, "orders", 0, batchOf(t, 10, -1, -1, -1))
	}
	if r := deleteRecords(dial(t, n), "orders", 0, 40); r.ErrorCode != 0 {
		t.Fatalf("%+v", r)
	}
	return n
}

// reader is a real consumer of the group "g" that has read want records.
func reader(t *testing.T, n *node.Node, want int, reset kgo.Offset) *kgo.Client {
	t.Helper()
	c := client(t, n, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(reset), kgo.ClientID("reader"), kgo.DisableAutoCommit())
	for got := 0; got < want; {
		got += c.PollFetches(t.Context()).NumRecords()
	}
	return c
}

// A group that has committed nothing starts where its clients' auto.offset.reset says; what it passes over is told.
func TestResetWithoutACommitIsTold(t *testing.T) {
	n := filled(t)
	reader(t, n, 60, kgo.NewOffset().AtStart())
	says(t, told(t, n, event.KindOffsetReset), "g", "orders", 0, map[string]int64{
		"before": -1, "offset": 40, "log_start": 40, "log_end": 100, "skipped": 0, "repeated": 0,
	})
	scraped(t, n, `holdfast_events_total{kind="offset_reset"} 1`)
}

func TestResetToTheEndIsTold(t *testing.T) {
	n := filled(t)
	c := client(t, n, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
	go c.PollFetches(t.Context())
	says(t, told(t, n, event.KindOffsetReset), "g", "orders", 0, map[string]int64{"before": -1, "offset": 100, "skipped": 60, "repeated": 0})
}

// A group whose next offset is gone: the fetch, with the group, and where it goes on.
func TestResetOfAnOffsetThatIsGoneIsTold(t *testing.T) {
	n := filled(t)
	s := groupOfNothing(t, n)
	s.ask("x", s.commit(8, "g", "", -1, place{"orders", 0, 15, nil}))
	reader(t, n, 60, kgo.NewOffset().AtStart())
	says(t, told(t, n, event.KindFetchOutOfRange), "g", "orders", 0, map[string]int64{"offset": 15, "log_start": 40, "missed": 25})
	says(t, told(t, n, event.KindOffsetReset), "g", "orders", 0, map[string]int64{"before": 15, "offset": 40, "skipped": 25, "repeated": 0})
}

// Who has a commit to go on from is no event, and neither are tools that look.
func TestWhoGoesOnIsNoReset(t *testing.T) {
	n := filled(t)
	s := groupOfNothing(t, n)
	s.ask("x", s.commit(8, "g", "", -1, place{"orders", 0, 50, nil}))
	s.ask("tool", s.fetch(8, "other", "orders"))
	listOffset(dial(t, n), 5, "orders", 0, -1)
	reader(t, n, 50, kgo.NewOffset().AtStart())
	dial(t, n).ask(fetchOf(11, 0, 0, at{topic: "orders", offset: 60}))
	if _, page := get(t, n, "/metrics"); strings.Contains(page, `holdfast_events_total{kind="offset_reset"}`) {
		t.Error("a reset was told of")
	}
}

// Commits that jump back, offsets that are deleted, offsets that expire: each names group, partition and offsets.
func TestOffsetsThatChangeAreTold(t *testing.T) {
	n := filled(t, "offsets.retention.minutes=1", "offsets.retention.check.interval.ms=50")
	s := groupOfNothing(t, n)
	s.ask("x", s.commit(8, "g", "", -1, place{"orders", 0, 70, nil}))
	s.ask("x", s.commit(8, "g", "", -1, place{"orders", 0, 55, nil}))
	back := told(t, n, event.KindCommitMovedBack)
	says(t, back, "g", "orders", 0, map[string]int64{"before": 70, "offset": 55})
	if who, _ := back.Value("client_id"); who != "x" {
		t.Errorf("by client %q", who)
	}
	del := kmsg.NewPtrDeleteGroupsRequest()
	del.Version, del.Groups = 2, []string{"g"}
	s.ask("x", del)
	says(t, told(t, n, event.KindOffsetDeleted), "g", "orders", 0, map[string]int64{"offset": 55})

	early := s.commit(2, "g", "", -1, place{"orders", 0, 60, nil}) // the version that names its own retention
	early.RetentionTimeMillis = 1
	s.ask("x", early)
	says(t, told(t, n, event.KindOffsetExpired), "g", "orders", 0, map[string]int64{"offset": 60})
}

// A commit to a topic that was made again says what it had been before.
func TestCommitToARecreatedTopicIsTold(t *testing.T) {
	n := filled(t)
	s := groupOfNothing(t, n)
	s.ask("x", s.commit(8, "g", "", -1, place{"orders", 0, 70, nil}))
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.Version, del.TimeoutMillis, del.TopicNames = 5, 10_000, []string{"orders"}
	s.ask("x", del)
	says(t, told(t, n, event.KindOffsetTopicGone), "g", "orders", 0, map[string]int64{"offset": 70})
	createTopic(t, n, "orders", 1)
	s.ask("x", s.commit(8, "g", "", -1, place{"orders", 0, 3, nil}))
	if r := s.ask("x", s.fetch(8, "g", "orders")).(*kmsg.OffsetFetchResponse); r.Groups[0].Topics[0].Partitions[0].Offset != 3 {
		t.Errorf("%+v", r)
	}
}

// groupOfNothing is a dialogue with a coordinator that is ready, without topics of its own.
func groupOfNothing(t *testing.T, n *node.Node) *stage {
	t.Helper()
	s := &stage{newDialogue(t, n.Address()), map[string][16]byte{}}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorKeys = 4, []string{"g"}
	s.ask("stage", find)
	eventually(t, "the coordinator is ready", func() bool {
		q := kmsg.NewPtrDescribeGroupsRequest()
		q.Groups = []string{"g"}
		return s.ask("stage", q).(*kmsg.DescribeGroupsResponse).Groups[0].ErrorCode == 0
	})
	return s
}
