package group

import (
	"fmt"
	"testing"
	"time"

	"holdfast/internal/core/image"
	"holdfast/internal/core/shard"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func ms(n int64) time.Time { return time.UnixMilli(n).UTC() }

// crowd is a shard without a host's checks, for speed.
type crowd struct {
	s   *Shard
	img *image.Image
	now int64
	n   int64
}

func newCrowd(partitions int) *crowd {
	h := newHost(nil, DefaultConfig())
	h.topic("t", 1, partitions)
	return &crowd{s: New(DefaultConfig()), img: h.img}
}

func (c *crowd) do(r any) shard.Outcome {
	c.n++
	cmd := shard.Command{Request: r, Call: shard.Call(c.n), Image: c.img, Client: shard.Client{ID: "c", Host: "/h"}}
	cmd.Nonce[0], cmd.Nonce[1], cmd.Nonce[2] = byte(c.n), byte(c.n>>8), byte(c.n>>16)
	out := c.s.Decide(ms(c.now), cmd)
	for _, r := range out.Records {
		r.Encode()
		c.s.Apply(c.n, r)
	}
	return out
}

// BenchmarkConsumersAllIn is the work of a coordinator from the first of 1000 KIP-848 members until every one has its
// two partitions.
func BenchmarkConsumersAllIn(b *testing.B) {
	for range b.N {
		const n = 1000
		c := newCrowd(2 * n)
		rounds := c.settle(n)
		b.ReportMetric(float64(rounds), "rounds")
	}
}

// settle lets all members send a heartbeat every 100 ms until they are done.
func (c *crowd) settle(n int) int {
	owned := make([][]kmsg.ConsumerGroupHeartbeatRequestTopic, n)
	epochs := make([]int32, n)
	for round := 1; ; round++ {
		for i := range n {
			r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
			r.Version, r.Group, r.MemberID, r.MemberEpoch = 1, "g", fmt.Sprintf("m%04d", i), epochs[i]
			r.Topics = owned[i]
			if r.MemberEpoch == 0 {
				r.Topics, r.RebalanceTimeoutMillis, r.SubscribedTopicNames = []kmsg.ConsumerGroupHeartbeatRequestTopic{}, 60000, []string{"t"}
			}
			resp := c.do(r).Replies[0].Response.(*kmsg.ConsumerGroupHeartbeatResponse)
			epochs[i] = resp.MemberEpoch
			if resp.Assignment != nil {
				owned[i] = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
				for _, t := range resp.Assignment.Topics {
					owned[i] = append(owned[i], kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.TopicID, Partitions: t.Partitions})
				}
			}
		}
		c.now += 100
		c.do(&shard.Fired{Timer: TimerKey{TimerAssign, "g", ""}})
		if c.s.consumer("g").state() == "Stable" {
			return round
		}
	}
}

// BenchmarkClassicAllIn is the work of a coordinator from the first of 1000 classic members until all have synced.
func BenchmarkClassicAllIn(b *testing.B) {
	for range b.N {
		const n = 1000
		c := newCrowd(1)
		for range n {
			r := kmsg.NewPtrJoinGroupRequest()
			r.Version, r.Group, r.ProtocolType, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 3, "g", "consumer", 45000, 60000
			r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "cooperative-sticky", Metadata: make([]byte, 100)}}
			c.do(r)
		}
		out := c.do(&shard.Fired{Timer: TimerKey{TimerInitialDelay, "g", ""}})
		for _, reply := range out.Replies {
			resp := reply.Response.(*kmsg.JoinGroupResponse)
			r := kmsg.NewPtrSyncGroupRequest()
			r.Version, r.Group, r.Generation, r.MemberID = 5, "g", resp.Generation, resp.MemberID
			for _, m := range resp.Members {
				r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m.MemberID, MemberAssignment: make([]byte, 50)})
			}
			c.do(r)
		}
	}
}

// BenchmarkCommit is one commit of one partition, encoded and applied.
func BenchmarkCommit(b *testing.B) {
	c := newCrowd(1)
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.Generation = 9, "g", -1
	r.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 5}}}}
	b.ReportAllocs()
	for range b.N {
		c.do(r)
	}
}

// BenchmarkHeartbeats are those of a group of 1000 members at rest, one of each kind.
func BenchmarkHeartbeats(b *testing.B) {
	c := newCrowd(2000)
	c.settle(1000)
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.MemberEpoch = 1, "g", "m0500", c.s.consumer("g").epoch
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		c.do(r)
	}
}
