package group

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func ptr[T any](v T) *T { return &v }

var (
	goldenID  = image.TopicID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	goldenID2 = image.TopicID{0x11, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
)

// golden is what the lines of testdata/kafka-4.3.1.txt mean.
func golden() map[string]shard.Record {
	offset := func(c *Committed) shard.Record {
		return &OffsetRecord{Group: "group", Topic: "orders", Partition: 3, ProducerID: shard.NoProducer, Committed: c}
	}
	consumer := func(kind int16, name string, v consumerValue) shard.Record {
		return &ConsumerRecord{Kind: kind, Group: "group", Name: name, value: v}
	}
	client := shard.Client{ID: "c", Host: "/127.0.0.1"}
	return map[string]shard.Record{
		"offset":                  offset(&Committed{Offset: 42, LeaderEpoch: 7, Metadata: "meta", CommitMs: 1000, ExpireMs: -1, TopicID: goldenID}),
		"offset-without-topic-id": offset(&Committed{Offset: 42, LeaderEpoch: -1, CommitMs: 1000, ExpireMs: -1}),
		"offset-that-expires":     offset(&Committed{Offset: 42, LeaderEpoch: -1, Metadata: "meta", CommitMs: 1000, ExpireMs: 2000}),
		"offset-of-version-3":     offset(&Committed{Offset: 42, LeaderEpoch: 7, Metadata: "meta", CommitMs: 1000, ExpireMs: -1}),
		"offset-gone":             offset(nil),
		"classic": &ClassicRecord{"group", &kmsg.GroupMetadataValue{
			Version: 3, ProtocolType: "consumer", Generation: 5, Protocol: ptr("range"), Leader: ptr("m1"), CurrentStateTimestamp: 1000,
			Members: []kmsg.GroupMetadataValueMember{
				{MemberID: "m1", InstanceID: ptr("i1"), ClientID: "c", ClientHost: "/127.0.0.1", RebalanceTimeoutMillis: 60000, SessionTimeoutMillis: 10000, Subscription: []byte{1, 2}, Assignment: []byte{3}},
				{MemberID: "m2", ClientID: "c", ClientHost: "/127.0.0.1", RebalanceTimeoutMillis: 60000, SessionTimeoutMillis: 10000, Subscription: []byte{}, Assignment: []byte{}},
			},
		}},
		"classic-empty":         &ClassicRecord{"group", &kmsg.GroupMetadataValue{Version: 3, ProtocolType: "consumer", Generation: 6, CurrentStateTimestamp: 1000}},
		"classic-gone":          &ClassicRecord{Group: "group"},
		"consumer":              consumer(keyConsumer, "", &epochValue{9, 77}),
		"consumer-without-hash": consumer(keyConsumer, "", &epochValue{9, 0}),
		"member": consumer(keyConsumerMember, "m1", &memberValue{
			Instance: ptr("i1"), Rack: ptr("r"), Client: client, Topics: []string{"orders", "other"}, Regex: ptr("o.*"), RebalanceMs: 30000, Assignor: ptr("uniform"),
		}),
		"member-classic": consumer(keyConsumerMember, "m1", &memberValue{
			Client: client, Topics: []string{"orders"}, RebalanceMs: 30000,
			Classic: &classicMeta{10000, []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{1, 2}}}},
		}),
		"member-gone":  consumer(keyConsumerMember, "m1", nil),
		"target-epoch": consumer(keyConsumerTarget, "", &targetEpochValue{9, 1000}),
		"target":       consumer(keyConsumerTargetMember, "m1", targetValue{{goldenID, []int32{0, 1}, nil}, {goldenID2, []int32{2}, nil}}),
		"current": consumer(keyConsumerCurrent, "m1", &currentValue{
			Epoch: 9, Previous: 8, State: memberUnrevoked, Assigned: assignment{{goldenID, []int32{0, 1}, []int32{5, 9}}}, Revoking: assignment{{goldenID2, []int32{2}, []int32{8}}},
		}),
		"current-of-kafka-4.0": consumer(keyConsumerCurrent, "m1", &currentValue{Epoch: 9, Previous: 8, State: memberStable, Assigned: assignment{{goldenID, []int32{0, 1}, nil}}}),
		"regex":                consumer(keyConsumerRegex, "o.*", &regexValue{[]string{"orders", "other"}, 12, 1000}),
	}
}

// The log is Kafka's own: its bytes are read as what they mean, and the same meaning is written as the same bytes.
func TestRecordsAreKafkas(t *testing.T) {
	want := golden()
	seen := 0
	for _, line := range goldenLines(t) {
		if line[0] == "partition" {
			continue
		}
		seen++
		key, value := unhex(t, line[1]), unhex(t, line[2])
		r, err := Decode(key, value)
		if err != nil {
			t.Errorf("%s: %v", line[0], err)
			continue
		}
		if !reflect.DeepEqual(r, want[line[0]]) {
			t.Errorf("%s:\n got %+v\nwant %+v", line[0], r, want[line[0]])
		}
		if line[0] == "offset-of-version-3" {
			continue // is written anew as version 4
		}
		k, v := want[line[0]].Encode()
		if !bytes.Equal(k, key) || !bytes.Equal(v, value) || (v == nil) != (value == nil) {
			t.Errorf("%s is written as\n%x %x, by Kafka as\n%x %x", line[0], k, v, key, value)
		}
	}
	if seen != len(want) {
		t.Errorf("%d records in the file, %d known", seen, len(want))
	}
}

func TestPartitionIsKafkas(t *testing.T) {
	for _, line := range goldenLines(t) {
		if line[0] != "partition" {
			continue
		}
		id := string(unhex(t, line[1]))
		if got := shard.PartitionFor(id, 50); strconv.Itoa(int(got)) != line[2] {
			t.Errorf("group %q is coordinated by partition %d, by Kafka %s", id, got, line[2])
		}
	}
}

func goldenLines(t *testing.T) [][]string {
	b, err := os.ReadFile("testdata/kafka-4.3.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for line := range strings.Lines(string(b)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] != "#" {
			out = append(out, words)
		}
	}
	return out
}

func unhex(t *testing.T, s string) []byte {
	if s == "-" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct{ key, value string }{
		"no key":              {"00", "-"},
		"a cut key":           {"0001000567726f75", "-"},
		"a cut value":         {"0002000567726f7570", "00030008636f6e73756d6572000000"},
		"a newer offset":      {"0001000567726f757000066f726465727300000003", "0005000000000000002a"},
		"a newer group":       {"0002000567726f7570", "0009"},
		"a newer epoch":       {"0003000567726f7570", "000100000009"},
		"no version":          {"0002000567726f7570", "00"},
		"a tag of wrong size": {"0003000567726f7570", "000000000009010004aabbccdd"},
		"a huge array":        {"0007000567726f757000026d31", "0000ffffffff0f"},
	} {
		if r, err := Decode(unhex(t, c.key), unhex(t, c.value)); err == nil || errors.Is(err, shard.ErrUnknownRecord) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for _, kind := range []string{"0004", "0009", "0011", "7fff"} {
		if _, err := Decode(unhex(t, kind+"000567726f7570"), nil); !errors.Is(err, shard.ErrUnknownRecord) {
			t.Errorf("type %s: %v", kind, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range golden() {
		key, value := r.Encode()
		f.Add(key, value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		r, err := Decode(key, value)
		if err != nil {
			return
		}
		// What was read can be written, and is read as the same; and it can be applied to anything.
		s := New(DefaultConfig())
		s.Apply(1, r)
		s.Apply(2, r)
		k, v := r.Encode()
		again, err := Decode(k, v)
		if err != nil {
			t.Fatalf("%+v is written as what cannot be read: %v", r, err)
		}
		k2, v2 := again.Encode()
		if !bytes.Equal(k, k2) || !bytes.Equal(v, v2) {
			t.Fatalf("%x %x\n%x %x", k, v, k2, v2)
		}
		s.Decide(ms(0), shard.Command{Request: &shard.Loaded{}, Image: image.Empty()})
	})
}

func FuzzRestore(f *testing.F) {
	s := New(DefaultConfig())
	for _, r := range golden() {
		if _, v := r.Encode(); v != nil {
			s.Apply(1, r)
		}
	}
	var b bytes.Buffer
	_ = s.Snapshot(&b)
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		s := New(DefaultConfig())
		_ = s.Restore(bytes.NewReader(b)) // an error or a state, never a panic
	})
}

// Refuse gives the error where each request and version has its place for it.
func TestRefuse(t *testing.T) {
	requests := []kmsg.Request{
		kmsg.NewPtrJoinGroupRequest(), kmsg.NewPtrSyncGroupRequest(), kmsg.NewPtrLeaveGroupRequest(), kmsg.NewPtrHeartbeatRequest(),
		kmsg.NewPtrConsumerGroupHeartbeatRequest(), kmsg.NewPtrOffsetDeleteRequest(), kmsg.NewPtrListGroupsRequest(),
		&kmsg.DescribeGroupsRequest{Groups: []string{"g"}}, &kmsg.DeleteGroupsRequest{Groups: []string{"g"}}, &kmsg.ConsumerGroupDescribeRequest{Groups: []string{"g"}},
		&kmsg.OffsetCommitRequest{Topics: []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}},
		&kmsg.TxnOffsetCommitRequest{Topics: []kmsg.TxnOffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{}}}}},
		&kmsg.OffsetFetchRequest{
			Topics: []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0}}},
			Groups: []kmsg.OffsetFetchRequestGroup{{Group: "g", Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: []int32{0}}}}},
		},
	}
	for _, r := range requests {
		for v := int16(0); v <= r.MaxVersion(); v++ {
			r.SetVersion(v)
			resp := Refuse(r, wire.NotCoordinator)
			if resp.GetVersion() != v || resp.Key() != r.Key() {
				t.Errorf("%T v%d is answered by %T v%d", r, v, resp, resp.GetVersion())
			}
			if b := resp.AppendTo(nil); !bytes.Contains(b, []byte{0, byte(wire.NotCoordinator)}) {
				t.Errorf("%T v%d: no error in %x", r, v, b)
			}
		}
	}
	if r := Refuse(requests[3], wire.CoordinatorLoadInProgress).(*kmsg.HeartbeatResponse); r.ErrorCode != 0 {
		t.Error("a heartbeat is refused while the shard loads")
	}
	if Refuse(kmsg.NewPtrMetadataRequest(), wire.NotCoordinator) != nil {
		t.Error("a request of others is answered")
	}
}
