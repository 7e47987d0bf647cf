package node_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/wire"
)

// metadata asks about topics: by name, by id, all for nil.
func askMetadata(c *raw, version int16, create bool, topics ...any) *kmsg.MetadataResponse {
	c.t.Helper()
	q := kmsg.NewPtrMetadataRequest()
	q.Version, q.AllowAutoTopicCreation = version, create
	q.Topics = []kmsg.MetadataRequestTopic{}
	for _, topic := range topics {
		mt := kmsg.NewMetadataRequestTopic()
		switch of := topic.(type) {
		case nil:
			q.Topics = nil
			continue
		case string:
			mt.Topic = &of
		case [16]byte:
			mt.TopicID = of
		}
		q.Topics = append(q.Topics, mt)
	}
	return c.ask(q).(*kmsg.MetadataResponse)
}

func names(r *kmsg.MetadataResponse) (out []string) {
	for _, t := range r.Topics {
		if !t.IsInternal && deref(t.Topic) != "__holdfast_events" { // version 0 does not say what is internal
			out = append(out, deref(t.Topic))
		}
	}
	return out
}

func TestMetadataVersions(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "b", 1)
	createTopic(t, n, "a", 3)
	c := dial(t, n)
	id := metadataOf(t, c, "a").TopicID
	for version := int16(0); version <= 13; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			c := dial(t, n)
			r := askMetadata(c, version, false, "a")
			a := r.Topics[0]
			if a.ErrorCode != 0 || len(a.Partitions) != 3 || deref(a.Topic) != "a" {
				t.Fatalf("topic a: %+v", a)
			}
			for i, p := range a.Partitions {
				if p.Partition != int32(i) || p.ErrorCode != 0 || p.Leader != 1 || !slices.Equal(p.Replicas, []int32{1}) || !slices.Equal(p.ISR, []int32{1}) {
					t.Errorf("partition %d: %+v", i, p)
				}
			}
			if (a.TopicID == id) != (version >= 10) {
				t.Errorf("topic id %v, want %v from version 10", a.TopicID, id)
			}
			if b := r.Brokers[0]; fmt.Sprintf("%s:%d", b.Host, b.Port) != n.Address() || b.NodeID != 1 {
				t.Errorf("broker %+v, want 1 at %s", b, n.Address())
			}
			if (r.ClusterID != nil) != (version >= 2) || version >= 1 && r.ControllerID != 1 {
				t.Errorf("cluster %v, controller %d", r.ClusterID, r.ControllerID)
			}
			all := []string{"a", "b"}
			if got := names(askMetadata(c, version, false)); version == 0 && !slices.Equal(got, all) || version > 0 && len(got) > 0 {
				t.Errorf("an empty list gives %v", got)
			}
			if version > 0 {
				if got := names(askMetadata(c, version, false, nil)); !slices.Equal(got, all) {
					t.Errorf("null gives %v, want %v", got, all)
				}
			}
			if version >= 12 {
				r := askMetadata(c, version, false, id, [16]byte{1, 2})
				if got := r.Topics[0]; got.ErrorCode != 0 || deref(got.Topic) != "a" || len(got.Partitions) != 3 {
					t.Errorf("by id: %+v", got)
				}
				if got := r.Topics[1]; got.ErrorCode != int16(wire.UnknownTopicID) || got.Topic != nil {
					t.Errorf("by an id of no topic: %+v", got)
				}
			}
		})
	}
}

func TestMetadataCreatesTopics(t *testing.T) {
	n := start(t, t.TempDir(), "num.partitions=2")
	c := dial(t, n)
	for _, tc := range []struct {
		name   string
		create bool
		code   wire.Code
	}{
		{"made", true, wire.None},
		{"not-made", false, wire.UnknownTopicOrPartition},
		{"", true, wire.InvalidTopicException},
		{".", true, wire.InvalidTopicException},
		{"..", true, wire.InvalidTopicException},
		{"a/b", true, wire.InvalidTopicException},
		{strings.Repeat("x", 250), true, wire.InvalidTopicException},
		{strings.Repeat("x", 249), true, wire.None},
		{"colliding.name", true, wire.None},
		{"colliding_name", true, wire.UnknownTopicOrPartition},
	} {
		r := askMetadata(c, 9, tc.create, tc.name)
		if got := r.Topics[0]; got.ErrorCode != int16(tc.code) || tc.code == wire.None && len(got.Partitions) != 2 {
			t.Errorf("%.20q: %v with %d partitions, want %v", tc.name, wire.Code(got.ErrorCode), len(got.Partitions), tc.code)
		}
	}
	if r := askMetadata(c, 3, false, "always"); r.Topics[0].ErrorCode != 0 {
		t.Errorf("version 3 cannot forbid it: %v", wire.Code(r.Topics[0].ErrorCode))
	}
	// One bad name does not take the others with it, and a name twice is answered once.
	r := askMetadata(c, 9, true, "one", "a/b", "two", "one")
	if len(r.Topics) != 3 || r.Topics[0].ErrorCode != 0 || r.Topics[1].ErrorCode != int16(wire.InvalidTopicException) || r.Topics[2].ErrorCode != 0 {
		t.Errorf("four names, one of them bad, one twice: %+v", r.Topics)
	}
}

func TestMetadataCreatesNothingWhereThatIsOff(t *testing.T) {
	n := start(t, t.TempDir(), "auto.create.topics.enable=false")
	if r := askMetadata(dial(t, n), 9, true, "orders"); r.Topics[0].ErrorCode != int16(wire.UnknownTopicOrPartition) {
		t.Errorf("answered %v", wire.Code(r.Topics[0].ErrorCode))
	}
}

// Without advertised.listeners, a listener on every address tells each client the address it reached.
func TestWildcardListenerTellsTheAddressReached(t *testing.T) {
	n := start(t, t.TempDir(), "listeners=PLAINTEXT://0.0.0.0:0")
	_, port, err := net.SplitHostPort(n.Address())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
		conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		c := &raw{t, conn}
		b := askMetadata(c, 9, false).Brokers[0]
		if b.Host != host || fmt.Sprint(b.Port) != port {
			t.Errorf("a client that reached %s:%s is told %s:%d", host, port, b.Host, b.Port)
		}
		if d := c.ask(kmsg.NewPtrDescribeClusterRequest()).(*kmsg.DescribeClusterResponse).Brokers[0]; d.Host != host {
			t.Errorf("DescribeCluster tells it %s", d.Host)
		}
	}
}

func TestAdvertisedListener(t *testing.T) {
	n := start(t, t.TempDir(), "listeners=PLAINTEXT://127.0.0.1:0", "advertised.listeners=PLAINTEXT://kafka.example.org:9999")
	if b := askMetadata(dial(t, n), 9, false).Brokers[0]; b.Host != "kafka.example.org" || b.Port != 9999 {
		t.Errorf("told %s:%d", b.Host, b.Port)
	}
}

// Each client is told of the listener it came in on.
func TestListenersAreToldApart(t *testing.T) {
	n := start(t, t.TempDir(), "listeners=INTERNAL://127.0.0.1:0,EXTERNAL://127.0.0.2:0", "advertised.listeners=EXTERNAL://broker.example.org:1234",
		"listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT")
	if b := askMetadata(dial(t, n), 9, false).Brokers[0]; fmt.Sprintf("%s:%d", b.Host, b.Port) != n.Address() {
		t.Errorf("INTERNAL is told %s:%d, want %s", b.Host, b.Port, n.Address())
	}
}

func TestIPv6Loopback(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	probe.Close()
	for _, listen := range []string{"[::1]:0", "[::]:0"} {
		n := start(t, t.TempDir(), "listeners=PLAINTEXT://"+listen)
		_, port, err := net.SplitHostPort(n.Address())
		if err != nil {
			t.Fatal(err)
		}
		c, err := kgo.NewClient(kgo.SeedBrokers(net.JoinHostPort("::1", port)), kgo.AllowAutoTopicCreation(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		produce(t, c, "orders", 0, 10)
		c.Close()
	}
}

func describePages(c *raw, limit int32, cursor *kmsg.DescribeTopicPartitionsRequestCursor, topics ...string) *kmsg.DescribeTopicPartitionsResponse {
	q := kmsg.NewPtrDescribeTopicPartitionsRequest()
	q.ResponsePartitionLimit, q.Cursor = limit, cursor
	q.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{}
	for _, name := range topics {
		t := kmsg.NewDescribeTopicPartitionsRequestTopic()
		t.Topic = name
		q.Topics = append(q.Topics, t)
	}
	return c.ask(q).(*kmsg.DescribeTopicPartitionsResponse)
}

// Pages of any size hold every partition once, in order.
func TestDescribeTopicPartitionsPages(t *testing.T) {
	n := start(t, t.TempDir())
	var want []string
	for name, partitions := range map[string]int32{"a": 3, "b": 1, "c": 5} {
		createTopic(t, n, name, partitions)
	}
	for _, name := range []string{"a", "b", "c"} {
		for i := range map[string]int{"a": 3, "b": 1, "c": 5}[name] {
			want = append(want, fmt.Sprintf("%s-%d", name, i))
		}
	}
	c := dial(t, n)
	for _, asked := range [][]string{nil, {"c", "a", "b", "a"}} {
		for limit := int32(0); limit <= 10; limit++ {
			var got []string
			var cursor *kmsg.DescribeTopicPartitionsRequestCursor
			for range 20 {
				r := describePages(c, limit, cursor, asked...)
				count := 0
				for _, topic := range r.Topics {
					for _, p := range topic.Partitions {
						count++
						if deref(topic.Topic) != "__holdfast_events" {
							got = append(got, fmt.Sprintf("%s-%d", deref(topic.Topic), p.Partition))
						}
					}
				}
				if count > max(int(limit), 1) {
					t.Errorf("limit %d: %d partitions on a page", limit, count)
				}
				if r.NextCursor == nil {
					break
				}
				next := kmsg.NewDescribeTopicPartitionsRequestCursor()
				next.Topic, next.Partition = r.NextCursor.Topic, r.NextCursor.Partition
				cursor = &next
			}
			if !slices.Equal(got, want) {
				t.Errorf("asked for %v in pages of %d: %v, want %v", asked, limit, got, want)
			}
		}
	}
	if r := describePages(c, 10, nil, "nothing"); r.Topics[0].ErrorCode != int16(wire.UnknownTopicOrPartition) {
		t.Errorf("no such topic: %v", wire.Code(r.Topics[0].ErrorCode))
	}
}

func TestDescribeTopicPartitionsLimitOfTheBroker(t *testing.T) {
	n := start(t, t.TempDir(), "max.request.partition.size.limit=2")
	createTopic(t, n, "a", 3)
	if r := describePages(dial(t, n), 2000, nil, "a"); len(r.Topics[0].Partitions) != 2 || r.NextCursor == nil || r.NextCursor.Partition != 2 {
		t.Errorf("%d partitions, next %+v", len(r.Topics[0].Partitions), r.NextCursor)
	}
}
