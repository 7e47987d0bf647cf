package handler

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// FuzzServe sends whatever it finds through the real handler. A request may end its connection; it may not panic, answer
// what the table of answers does not hold, or leave anything taken. Requests act on each other,
// as they do in a broker.
func FuzzServe(f *testing.F) {
	for _, api := range wire.APIs() {
		for version := api.Min; version <= api.Max; version++ {
			q := kmsg.RequestForKey(api.Key)
			q.SetVersion(version)
			f.Add(frame(q))
		}
	}
	for _, q := range telling() {
		f.Add(frame(q))
	}
	r := newRig(f, vfs.NewMem())
	r.options.Check = func(api int16, code wire.Code) {
		if _, ok := wire.Answers(api, code); !ok {
			panic("answered " + code.String())
		}
	}
	r.options.MaxFetchWait = 1
	r.createTopic("t", 2)
	f.Fuzz(func(t *testing.T, request []byte) {
		if len(request) < 8 || len(request) > 4<<10 {
			return
		}
		c := r.NewCall(&r.client, len(request), 0)
		copy(c.Frame.B, request)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond) // a join may wait for minutes
		defer cancel()
		err := r.Serve(ctx, c)
		if c.Waits() {
			c.Finish()
		}
		if err == nil && len(c.Answer()) > 1<<20 {
			t.Errorf("%d bytes answer %d", len(c.Answer()), len(request))
		}
		r.EndCall(c)
		if used := r.options.Answers.Used(); used != 0 {
			t.Errorf("%d bytes are left taken", used)
		}
	})
}

// telling are requests that do something with topic t.
func telling() []kmsg.Request {
	produce := kmsg.NewPtrProduceRequest()
	produce.Version, produce.Acks, produce.TimeoutMillis = 9, -1, 100
	produce.Topics = []kmsg.ProduceRequestTopic{{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: make([]byte, 61)}}}}
	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version, fetch.ReplicaID, fetch.MaxBytes = 12, -1, 1<<20
	part := kmsg.NewFetchRequestTopicPartition()
	part.PartitionMaxBytes = 1 << 20
	fetch.Topics = []kmsg.FetchRequestTopic{{Topic: "t", Partitions: []kmsg.FetchRequestTopicPartition{part}}}
	list := kmsg.NewPtrListOffsetsRequest()
	list.Version, list.ReplicaID = 9, -1
	place := kmsg.NewListOffsetsRequestTopicPartition()
	place.Timestamp = -3
	list.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{place}}}
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Version = 9
	name := "t"
	metadata.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
	configs := kmsg.NewPtrDescribeConfigsRequest()
	configs.Version = 4
	configs.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t"}}
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	value := "1000"
	alter.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t",
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: &value}},
	}}
	del := kmsg.NewPtrDeleteRecordsRequest()
	del.Version = 2
	del.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "t", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: -1}}}}
	pages := kmsg.NewPtrDescribeTopicPartitionsRequest()
	pages.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "t"}}
	return append([]kmsg.Request{produce, fetch, list, metadata, configs, alter, del, pages}, ofGroups()...)
}

// ofGroups are requests that do something with group g.
func ofGroups() []kmsg.Request {
	join := kmsg.NewPtrJoinGroupRequest()
	join.Version, join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = 3, "g", 10_000, 10, "consumer"
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}}
	beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	beat.Version, beat.Group, beat.MemberID, beat.RebalanceTimeoutMillis = 1, "c", "m", 1000
	beat.SubscribedTopicNames, beat.Topics = []string{"t"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Version, commit.Group, commit.Generation = 8, "g", -1
	part := kmsg.NewOffsetCommitRequestTopicPartition()
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{part}}}
	offsets := kmsg.NewPtrOffsetFetchRequest()
	offsets.Version = 8
	offsets.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: []int32{0, 1}}}}, {Group: "c"}}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorKeys = 4, []string{"g", "c"}
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Version, describe.Groups = 6, []string{"g", "c"}
	return []kmsg.Request{find, join, beat, commit, offsets, describe}
}
