package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The states survive the wire, beside fields of Kafka's own, in every version that has tags.
func TestReplicaStates(t *testing.T) {
	want := []ReplicaState{
		{Partition: 0, End: 12, Damaged: []DamagedRange{{First: 3, Last: 5, File: "t-0/0.log", Position: 70, Until: 200, Reason: "the checksum of a batch is wrong"}}, More: 1},
		{Partition: 2, End: -1, Offline: "its folder belongs to another topic"},
	}
	for version := int16(2); version <= 4; version++ {
		topic := kmsg.NewDescribeLogDirsResponseDirTopic()
		topic.Topic = "t"
		SetReplicaStates(&topic, want)
		sent := kmsg.NewPtrDescribeLogDirsResponse()
		sent.Version = version
		dir := kmsg.NewDescribeLogDirsResponseDir()
		dir.Topics = append(dir.Topics, topic)
		sent.Dirs = append(sent.Dirs, dir)
		got := kmsg.NewPtrDescribeLogDirsResponse()
		got.Version = version
		if err := got.ReadFrom(sent.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		states, err := ReplicaStates(&got.Dirs[0].Topics[0])
		if err != nil || !cmp.Equal(states, want) {
			t.Errorf("version %d: %v %s", version, err, cmp.Diff(want, states))
		}
	}
}

// What any broker may send there allocates no more than a small multiple of itself, and is read or refused.
func FuzzReplicaStates(f *testing.F) {
	f.Add([]byte(`[{"partition":1,"end":2,"damaged":[{"first":1,"last":1}]}]`))
	f.Add([]byte(`null`))
	f.Add([]byte(`[{"partition":"x"}]`))
	f.Fuzz(func(t *testing.T, p []byte) {
		topic := kmsg.NewDescribeLogDirsResponseDirTopic()
		topic.UnknownTags.Set(ReplicaStatesTag, p)
		states, err := ReplicaStates(&topic)
		if err != nil && states != nil {
			t.Error("states and an error")
		}
	})
}
