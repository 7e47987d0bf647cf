package node_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/node"
	"holdfast/internal/proto/wire"
)

// fill writes batches of three records.
func fill(t *testing.T, n *node.Node, topic string, partition int32, batches int) (size int32) {
	t.Helper()
	c := dial(t, n)
	for range batches {
		b := goodBatch(t)
		size = int32(len(b))
		if p := produced(c.ask(produceOf(topic, partition, -1, b))); p.ErrorCode != 0 {
			t.Fatal(wire.Code(p.ErrorCode))
		}
	}
	return size
}

func one(t *testing.T, r kmsg.Response, topic string, partition int32) kmsg.FetchResponseTopicPartition {
	t.Helper()
	p, ok := fetched(r)[at{topic: topic, partition: partition}]
	if !ok {
		t.Fatalf("the answer has no %s-%d: %+v", topic, partition, r)
	}
	return p
}

func TestFetchWakesOnCommitNotOnAppend(t *testing.T) {
	disk := newHeldDisk()
	n := startOn(t, disk, t.TempDir())
	createTopic(t, n, "orders", 1)
	c, q := dial(t, n), fetchOf(11, 1, 8000, at{topic: "orders"})
	c.post(1, q)
	release := disk.hold(t)
	dial(t, n).post(1, produceOf("orders", 0, -1, goodBatch(t)))
	witness := dial(t, n)
	eventually(t, "the batch is appended", func() bool { return logEnd(t, witness, "orders") == 3 })
	c.silent(50 * time.Millisecond)
	began := time.Now()
	release()
	if p := one(t, c.answer(1, q), "orders", 0); p.HighWatermark != 3 || !slices.Equal(offsets(t, p.RecordBatches), []int64{0}) {
		t.Errorf("high watermark %d, batches at %v", p.HighWatermark, offsets(t, p.RecordBatches))
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the fetch slept for %v after the commit", took)
	}
}

func TestFetchWaitsNoLongerThanAsked(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 1)
	c := dial(t, n)
	began := time.Now()
	p := one(t, c.ask(fetchOf(11, 1, 60, at{topic: "orders"})), "orders", 0)
	if took := time.Since(began); took < 60*time.Millisecond || took > 3*time.Second {
		t.Errorf("an empty fetch of 60 ms took %v", took)
	}
	if p.ErrorCode != 0 || p.HighWatermark != 0 || p.LastStableOffset != 0 || p.LogStartOffset != 0 {
		t.Errorf("answered %+v", p)
	}
}

func TestFetchSizes(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 2)
	size := fill(t, n, "orders", 0, 4)
	fill(t, n, "orders", 1, 4)
	both := []at{{topic: "orders", partition: 0}, {topic: "orders", partition: 1}}
	for _, tc := range []struct {
		name              string
		minBytes, maxWait int32
		max, partitionMax int32
		want0, want1      []int64
	}{
		{"everything", 1, 1000, 1 << 20, 1 << 20, []int64{0, 3, 6, 9}, []int64{0, 3, 6, 9}},
		{"a partition's cap holds whole batches", 1, 1000, 1 << 20, 2*size + size/2, []int64{0, 3}, []int64{0, 3}},
		{"the first batch comes although it is larger than the cap", 1, 1000, 1 << 20, 10, []int64{0}, nil},
		{"the first batch comes although it is larger than the answer", 1, 1000, 10, 1 << 20, []int64{0}, nil},
		{"a cap of 0", 1, 1000, 1 << 20, -1, []int64{0}, nil},
		{"the answer's cap is shared", 1, 1000, 5 * size, 1 << 20, []int64{0, 3, 6, 9}, []int64{0}},
		{"more than the answer may hold is not waited for", 1 << 30, 8000, 5 * size, 1 << 20, []int64{0, 3, 6, 9}, []int64{0}},
		{"a minimum of all there is", 8 * size, 8000, 1 << 20, 1 << 20, []int64{0, 3, 6, 9}, []int64{0, 3, 6, 9}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := fetchOf(11, tc.minBytes, tc.maxWait, both...)
			q.MaxBytes = tc.max
			for i := range q.Topics {
				q.Topics[i].Partitions[0].PartitionMaxBytes = tc.partitionMax
			}
			began := time.Now()
			r := dial(t, n).ask(q)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if got := offsets(t, one(t, r, "orders", 0).RecordBatches); !slices.Equal(got, tc.want0) {
				t.Errorf("partition 0: batches at %v, want %v", got, tc.want0)
			}
			if got := offsets(t, one(t, r, "orders", 1).RecordBatches); !slices.Equal(got, tc.want1) {
				t.Errorf("partition 1: batches at %v, want %v", got, tc.want1)
			}
		})
	}
}

// Minimum bytes count over all partitions: a fetch sleeps until they are there.
func TestFetchWaitsForItsMinimum(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 2)
	size := fill(t, n, "orders", 0, 1)
	c, q := dial(t, n), fetchOf(11, 3*size, 8000, at{topic: "orders"}, at{topic: "orders", partition: 1})
	c.post(1, q)
	fill(t, n, "orders", 1, 1)
	c.silent(50 * time.Millisecond)
	fill(t, n, "orders", 1, 1)
	r := c.answer(1, q)
	if a, b := offsets(t, one(t, r, "orders", 0).RecordBatches), offsets(t, one(t, r, "orders", 1).RecordBatches); len(a) != 1 || len(b) != 2 {
		t.Errorf("batches at %v and %v, want one and two", a, b)
	}
}

func TestFetchOffsets(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 1)
	fill(t, n, "orders", 0, 3)
	for _, tc := range []struct {
		name   string
		offset int64
		code   wire.Code
		want   []int64
	}{
		{"a whole batch where the offset lies inside it", 4, wire.None, []int64{3, 6}},
		{"the last record of a batch", 2, wire.None, []int64{0, 3, 6}},
		{"the end", 9, wire.None, nil},
		{"beyond the end", 10, wire.OffsetOutOfRange, nil},
		{"negative", -1, wire.OffsetOutOfRange, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := one(t, dial(t, n).ask(fetchOf(11, 0, 0, at{topic: "orders", offset: tc.offset})), "orders", 0)
			if p.ErrorCode != int16(tc.code) || !slices.Equal(offsets(t, p.RecordBatches), tc.want) {
				t.Errorf("%v, batches at %v; want %v at %v", wire.Code(p.ErrorCode), offsets(t, p.RecordBatches), tc.code, tc.want)
			}
		})
	}
}

// What is not there is said of that partition alone, at once, and the others are served.
func TestFetchOfWhatIsNotThere(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 1)
	fill(t, n, "orders", 0, 1)
	c := dial(t, n)
	r := c.ask(fetchOf(11, 1, 8000, at{topic: "nothing"}, at{topic: "orders", partition: 5}, at{topic: "orders"}))
	for _, missing := range []at{{topic: "nothing"}, {topic: "orders", partition: 5}} {
		p := one(t, r, missing.topic, missing.partition)
		if p.ErrorCode != int16(wire.UnknownTopicOrPartition) || p.HighWatermark != -1 || len(p.RecordBatches) != 0 {
			t.Errorf("%s-%d: %v, %+v", missing.topic, missing.partition, wire.Code(p.ErrorCode), p)
		}
	}
	if p := one(t, r, "orders", 0); p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
		t.Errorf("orders-0: %v with %d bytes", wire.Code(p.ErrorCode), len(p.RecordBatches))
	}

	byID := fetchOf(13, 1, 8000, at{})
	byID.Topics[0].TopicID = [16]byte{1, 2, 3}
	if p := c.ask(byID).(*kmsg.FetchResponse).Topics[0].Partitions[0]; p.ErrorCode != int16(wire.UnknownTopicID) {
		t.Errorf("an id of no topic: %v", wire.Code(p.ErrorCode))
	}
	byID.Topics[0].TopicID = metadataOf(t, c, "orders").TopicID
	if p := c.ask(byID).(*kmsg.FetchResponse).Topics[0].Partitions[0]; p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
		t.Errorf("by id: %v with %d bytes", wire.Code(p.ErrorCode), len(p.RecordBatches))
	}
}

func TestFetchFencesByLeaderEpoch(t *testing.T) {
	dir := t.TempDir()
	n := start(t, dir)
	createTopic(t, n, "orders", 1)
	stop(t, n)
	n = start(t, dir) // a new run is a new epoch
	c := dial(t, n)
	epoch := leaderEpoch(t, c, "orders")
	for asked, want := range map[int32]wire.Code{epoch: wire.None, -1: wire.None, epoch - 1: wire.FencedLeaderEpoch, epoch + 1: wire.UnknownLeaderEpoch} {
		q := fetchOf(11, 0, 0, at{topic: "orders"})
		q.Topics[0].Partitions[0].CurrentLeaderEpoch = asked
		if p := one(t, c.ask(q), "orders", 0); p.ErrorCode != int16(want) {
			t.Errorf("epoch %d of %d: %v, want %v", asked, epoch, wire.Code(p.ErrorCode), want)
		}
	}
}

// A parked fetch learns that its topic was deleted when it happens.
func TestFetchEndsWithItsTopic(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 1)
	c, q := dial(t, n), fetchOf(11, 1, 9000, at{topic: "orders"})
	c.post(1, q)
	c.silent(50 * time.Millisecond)
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.Version, del.TimeoutMillis, del.TopicNames = 5, 5000, []string{"orders"}
	began := time.Now()
	dial(t, n).ask(del)
	if p := one(t, c.answer(1, q), "orders", 0); p.ErrorCode != int16(wire.UnknownTopicOrPartition) {
		t.Errorf("answered %v", wire.Code(p.ErrorCode))
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// Every version answers in its own form.
func TestFetchVersions(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 1)
	fill(t, n, "orders", 0, 1)
	c := dial(t, n)
	id := metadataOf(t, c, "orders").TopicID
	for version := int16(4); version <= 18; version++ {
		for _, isolation := range []int8{0, 1} {
			q := fetchOf(version, 1, 1000, at{topic: "orders"})
			q.Topics[0].TopicID, q.IsolationLevel = id, isolation
			p := c.ask(q).(*kmsg.FetchResponse).Topics[0].Partitions[0]
			if p.ErrorCode != 0 || !slices.Equal(offsets(t, p.RecordBatches), []int64{0}) {
				t.Errorf("version %d: %+v", version, p)
			}
			if (p.AbortedTransactions == nil) != (isolation == 0) {
				t.Errorf("version %d, isolation %d: aborted transactions %v", version, isolation, p.AbortedTransactions)
			}
		}
	}
}
