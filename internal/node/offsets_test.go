package node_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/node"
	"holdfast/internal/proto/record"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

const base = 1_700_000_000_000 // a time in ms

// stamped is a batch with records of these times after base.
func stamped(t *testing.T, after ...int64) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderOptions{})
	for _, ms := range after {
		if err := b.Append(base+ms, nil, []byte("v")); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}

func listOffset(r *raw, version int16, topic string, partition int32, timestamp int64) kmsg.ListOffsetsResponseTopicPartition {
	r.t.Helper()
	q := kmsg.NewPtrListOffsetsRequest()
	q.Version, q.ReplicaID = version, -1
	qt, qp := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	qp.Partition, qp.Timestamp, qp.CurrentLeaderEpoch = partition, timestamp, -1
	qt.Topic, qt.Partitions = topic, append(qt.Partitions, qp)
	q.Topics = append(q.Topics, qt)
	return r.ask(q).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
}

// The answers of Apache Kafka 4.3.1 to the same log.
func TestListOffsets(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 2)
	c := dial(t, n)
	for range 2 {
		if p := produced(c.ask(produceOf("orders", 0, -1, stamped(t, 0, 1000, 2000)))); p.ErrorCode != 0 {
			t.Fatal(wire.Code(p.ErrorCode))
		}
	}
	epoch := leaderEpoch(t, c, "orders")
	type found struct {
		code      wire.Code
		offset    int64
		timestamp int64
		epoch     int32
	}
	none := found{offset: -1, timestamp: -1, epoch: -1}
	for _, tc := range []struct {
		name      string
		partition int32
		timestamp int64
		since     int16
		want      found
	}{
		{"latest", 0, -1, 1, found{wire.None, 6, -1, epoch}},
		{"earliest", 0, -2, 1, found{wire.None, 0, -1, epoch}},
		{"max timestamp", 0, -3, 7, found{wire.None, 2, base + 2000, epoch}},
		{"earliest local", 0, -4, 8, found{wire.None, 0, -1, epoch}},
		{"latest tiered", 0, -5, 9, none},
		{"earliest pending upload", 0, -6, 11, none},
		{"no such place", 0, -7, 99, none},
		{"before all", 0, 0, 1, found{wire.None, 0, base, epoch}},
		{"a time that is there", 0, base + 1000, 1, found{wire.None, 1, base + 1000, epoch}},
		{"a time between", 0, base + 1001, 1, found{wire.None, 2, base + 2000, epoch}},
		{"after all", 0, base + 3000, 1, none},
		{"max timestamp of nothing", 1, -3, 7, none},
		{"a time in nothing", 1, 5, 1, none},
		{"latest of nothing", 1, -1, 1, found{wire.None, 0, -1, epoch}},
		{"no such partition", 7, -1, 1, found{wire.UnknownTopicOrPartition, -1, -1, -1}},
	} {
		for version := int16(1); version <= 11; version++ {
			p := listOffset(c, version, "orders", tc.partition, tc.timestamp)
			got, want := found{wire.Code(p.ErrorCode), p.Offset, p.Timestamp, p.LeaderEpoch}, tc.want
			if version < tc.since {
				want = found{wire.UnsupportedVersion, -1, -1, -1}
			}
			if version < 4 {
				want.epoch = -1
			}
			if got != want {
				t.Errorf("%s, version %d: %+v, want %+v", tc.name, version, got, want)
			}
		}
	}
	if p := listOffset(c, 9, "nothing", 0, -1); p.ErrorCode != int16(wire.UnknownTopicOrPartition) {
		t.Errorf("no such topic: %v", wire.Code(p.ErrorCode))
	}
}

// What is not committed is not listed, whatever the isolation.
func TestListOffsetsEndsAtTheHighWatermark(t *testing.T) {
	disk := newHeldDisk()
	n := startOn(t, disk, t.TempDir())
	createTopic(t, n, "orders", 1)
	c := dial(t, n)
	c.ask(produceOf("orders", 0, -1, stamped(t, 0, 1000)))
	disk.hold(t)
	c.ask(produceOf("orders", 0, 1, stamped(t, 5000)))
	for _, isolation := range []int8{0, 1} {
		for timestamp, want := range map[int64]int64{-1: 2, base + 4000: -1} {
			q := kmsg.NewPtrListOffsetsRequest()
			q.Version, q.ReplicaID, q.IsolationLevel = 9, -1, isolation
			qt, qp := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
			qp.Timestamp, qp.CurrentLeaderEpoch = timestamp, -1
			qt.Topic, qt.Partitions = "orders", append(qt.Partitions, qp)
			q.Topics = append(q.Topics, qt)
			if p := c.ask(q).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]; p.ErrorCode != 0 || p.Offset != want {
				t.Errorf("isolation %d, time %d: %v, offset %d, want %d", isolation, timestamp, wire.Code(p.ErrorCode), p.Offset, want)
			}
		}
	}
}

// Each run of the node is a leader epoch of its own; where one ended is known ever after.
func TestOffsetForLeaderEpoch(t *testing.T) {
	dir := t.TempDir()
	var epochs []int32
	var n *node.Node
	for range 3 {
		n = start(t, dir)
		c := dial(t, n)
		if epochs == nil {
			createTopic(t, n, "orders", 1)
		}
		c.ask(produceOf("orders", 0, -1, goodBatch(t)))
		epochs = append(epochs, leaderEpoch(t, c, "orders"))
		if len(epochs) < 3 {
			stop(t, n)
		}
	}
	c := dial(t, n)
	ask := func(partition, current, epoch int32) kmsg.OffsetForLeaderEpochResponseTopicPartition {
		q := kmsg.NewPtrOffsetForLeaderEpochRequest()
		q.Version = 4
		qt, qp := kmsg.NewOffsetForLeaderEpochRequestTopic(), kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		qp.Partition, qp.CurrentLeaderEpoch, qp.LeaderEpoch = partition, current, epoch
		qt.Topic, qt.Partitions = "orders", append(qt.Partitions, qp)
		q.Topics = append(q.Topics, qt)
		return c.ask(q).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]
	}
	for i, e := range epochs {
		if p := ask(0, -1, e); p.ErrorCode != 0 || p.LeaderEpoch != e || p.EndOffset != int64(3*(i+1)) {
			t.Errorf("epoch %d: %v, epoch %d ends at %d, want %d", e, wire.Code(p.ErrorCode), p.LeaderEpoch, p.EndOffset, 3*(i+1))
		}
	}
	last := epochs[2]
	for _, tc := range []struct {
		partition, current, epoch int32
		code                      wire.Code
	}{
		{0, -1, -1, wire.None},
		{0, -1, last + 1, wire.None},
		{0, last, epochs[0] - 1, wire.None},
		{0, last - 1, last, wire.FencedLeaderEpoch},
		{0, last + 1, last, wire.UnknownLeaderEpoch},
		{5, -1, last, wire.UnknownTopicOrPartition},
	} {
		if p := ask(tc.partition, tc.current, tc.epoch); p.ErrorCode != int16(tc.code) || p.EndOffset != -1 || p.LeaderEpoch != -1 {
			t.Errorf("%+v: %v, epoch %d, end %d", tc, wire.Code(p.ErrorCode), p.LeaderEpoch, p.EndOffset)
		}
	}
}

func deleteRecords(r *raw, topic string, partition int32, offset int64) kmsg.DeleteRecordsResponseTopicPartition {
	r.t.Helper()
	q := kmsg.NewPtrDeleteRecordsRequest()
	q.Version, q.TimeoutMillis = 2, 5000
	qt, qp := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	qp.Partition, qp.Offset = partition, offset
	qt.Topic, qt.Partitions = topic, append(qt.Partitions, qp)
	q.Topics = append(q.Topics, qt)
	return r.ask(q).(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
}

// The answers of Apache Kafka 4.3.1 to the same log.
func TestDeleteRecords(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 1)
	fill(t, n, "orders", 0, 2)
	c := dial(t, n)
	for _, tc := range []struct {
		partition int32
		offset    int64
		code      wire.Code
		low       int64
	}{
		{0, 2, wire.None, 2},
		{0, 99, wire.OffsetOutOfRange, -1},
		{0, -2, wire.OffsetOutOfRange, -1},
		{0, 1, wire.None, 2},
		{0, -1, wire.None, 6},
		{0, 1, wire.None, 6},
		{8, 1, wire.UnknownTopicOrPartition, -1},
	} {
		if p := deleteRecords(c, "orders", tc.partition, tc.offset); p.ErrorCode != int16(tc.code) || p.LowWatermark != tc.low {
			t.Errorf("partition %d before %d: %v, low watermark %d; want %v, %d", tc.partition, tc.offset, wire.Code(p.ErrorCode), p.LowWatermark, tc.code, tc.low)
		}
	}
	if p := listOffset(c, 9, "orders", 0, -2); p.Offset != 6 {
		t.Errorf("earliest is %d, want 6", p.Offset)
	}
	if p := one(t, c.ask(fetchOf(11, 0, 0, at{topic: "orders", offset: 5})), "orders", 0); p.ErrorCode != int16(wire.OffsetOutOfRange) {
		t.Errorf("a deleted record: %v", wire.Code(p.ErrorCode))
	}
}

// Deleted is deleted, also where the power fails right after the answer, and nothing else is.
func TestDeletedRecordsStayDeletedAfterACrash(t *testing.T) {
	disk := vfs.NewMem()
	n := startOn(t, disk, "/data")
	createTopic(t, n, "orders", 1)
	fill(t, n, "orders", 0, 3)
	if p := deleteRecords(dial(t, n), "orders", 0, 4); p.ErrorCode != 0 {
		t.Fatal(wire.Code(p.ErrorCode))
	}
	for i, mode := range vfs.CrashModes() {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			c := dial(t, startOn(t, disk.CrashClone(mode, uint64(i)), "/data"))
			if p := listOffset(c, 9, "orders", 0, -2); p.Offset != 4 {
				t.Errorf("earliest is %d, want 4", p.Offset)
			}
			if p := listOffset(c, 9, "orders", 0, -1); p.Offset != 9 {
				t.Errorf("latest is %d, want 9", p.Offset)
			}
			if p := one(t, c.ask(fetchOf(11, 0, 0, at{topic: "orders", offset: 4})), "orders", 0); len(offsets(t, p.RecordBatches)) != 2 {
				t.Errorf("batches at %v, want 3 and 6", offsets(t, p.RecordBatches))
			}
		})
	}
}
