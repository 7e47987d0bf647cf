package group

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/shard"
	"holdfast/internal/proto/wire"
)

// TestOutcomesAreBounded: a group's name may be long, and what ends its offsets is as long as its name, once an offset.
// However many there are, no decision is more than the host can write as one batch; what is left over follows.
func TestOutcomesAreBounded(t *testing.T) {
	const partitions, hostLimit = 1000, 16 << 20
	name := strings.Repeat("g", 30_000)
	fresh := func() *crowd {
		c := newCrowd(partitions)
		for from := 0; from < partitions; from += 20 {
			r := kmsg.NewPtrOffsetCommitRequest()
			r.Version, r.Group, r.Generation = 9, name, -1
			topic := kmsg.OffsetCommitRequestTopic{Topic: "t"}
			for p := from; p < from+20; p++ {
				topic.Partitions = append(topic.Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: int32(p), Offset: 5})
			}
			r.Topics = append(r.Topics, topic)
			c.do(r)
		}
		if n := len(c.s.groups[name].offsets); n != partitions {
			t.Fatalf("%d offsets are committed, want %d", n, partitions)
		}
		return c
	}
	for _, way := range []struct {
		name string
		next func(*crowd) any
	}{
		{"delete the group", func(*crowd) any {
			r := kmsg.NewPtrDeleteGroupsRequest()
			r.Groups = []string{name}
			return r
		}},
		{"delete the offsets", func(*crowd) any {
			r := kmsg.NewPtrOffsetDeleteRequest()
			r.Group = name
			topic := kmsg.OffsetDeleteRequestTopic{Topic: "t"}
			for p := range int32(partitions) {
				topic.Partitions = append(topic.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: p})
			}
			r.Topics = append(r.Topics, topic)
			return r
		}},
		{"they expire", func(c *crowd) any {
			c.now += DefaultConfig().OffsetsRetention.Milliseconds() + 1
			return &shard.Fired{Timer: TimerKey{TimerSweep, "", ""}}
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			c := fresh()
			for turns := 1; ; turns++ {
				out := c.do(way.next(c))
				size := 0
				for _, r := range out.Records {
					key, value := r.Encode()
					size += len(key) + len(value)
				}
				if size > hostLimit {
					t.Fatalf("one decision writes %d bytes, the host takes %d", size, hostLimit)
				}
				if g := c.s.groups[name]; g == nil || len(g.offsets) == 0 {
					t.Logf("%d turns", turns)
					return
				}
				if len(out.Records) == 0 {
					t.Fatal("nothing goes on")
				}
				if len(out.Replies) > 0 {
					if code := someError(out.Replies[0].Response); code != int16(wire.CoordinatorLoadInProgress) {
						t.Fatalf("half done, and the answer is %d, want one after which the client asks again", code)
					}
				}
			}
		})
	}
}

// TestCrowdsAreBounded: an assignment writes a record a member, so a group with a long name has fewer.
func TestCrowdsAreBounded(t *testing.T) {
	c, refused := newCrowd(2000), 0
	name, largest := strings.Repeat("g", 30_000), 0
	look := func(out shard.Outcome) {
		size := 0
		for _, r := range out.Records {
			key, value := r.Encode()
			size += len(key) + len(value)
		}
		largest = max(largest, size)
	}
	for i := range 700 {
		r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		r.Version, r.Group, r.MemberID = 1, name, fmt.Sprintf("m%04d", i)
		r.Topics, r.RebalanceTimeoutMillis, r.SubscribedTopicNames = []kmsg.ConsumerGroupHeartbeatRequestTopic{}, 60000, []string{"t"}
		out := c.do(r)
		look(out)
		if out.Replies[0].Response.(*kmsg.ConsumerGroupHeartbeatResponse).ErrorCode == int16(wire.GroupMaxSizeReached) {
			refused++
		}
	}
	c.now += 1000
	look(c.do(&shard.Fired{Timer: TimerKey{TimerAssign, name, ""}}))
	if largest > 16<<20 || refused == 0 || refused > 500 {
		t.Errorf("%d of 700 members were refused, the largest decision is %d bytes; the host takes 16 MiB", refused, largest)
	}
}

// someError is the last error of an answer.
func someError(r kmsg.Response) int16 {
	switch r := r.(type) {
	case *kmsg.DeleteGroupsResponse:
		return r.Groups[0].ErrorCode
	case *kmsg.OffsetDeleteResponse:
		return r.ErrorCode
	default:
		panic(fmt.Sprintf("%T", r))
	}
}
