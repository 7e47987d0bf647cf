package node_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/node"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// attempt is one batch of a producer and the answer it must get.
type attempt struct {
	what     string
	epoch    int16
	sequence int32
	records  int
	code     wire.Code
	offset   int64
}

func try(t *testing.T, c *raw, id int64, attempts ...attempt) {
	t.Helper()
	for _, a := range attempts {
		p := produced(c.ask(produceOf("orders", 0, -1, batchOf(t, a.records, id, a.epoch, a.sequence))))
		if p.ErrorCode != int16(a.code) || a.code == wire.None && p.BaseOffset != a.offset {
			t.Errorf("%s: %v at %d, want %v at %d", a.what, wire.Code(p.ErrorCode), p.BaseOffset, a.code, a.offset)
		}
	}
}

// The answers of Apache Kafka 4.3.1 to the same batches.
func TestIdempotentProducer(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 1)
	c := dial(t, n)
	try(t, c, 4242,
		attempt{"first", 0, 0, 3, wire.None, 0},
		attempt{"sent again", 0, 0, 3, wire.None, 0},
		attempt{"a gap", 0, 5, 1, wire.OutOfOrderSequenceNumber, -1},
		attempt{"inside the first", 0, 1, 1, wire.OutOfOrderSequenceNumber, -1},
		attempt{"second", 0, 3, 1, wire.None, 3},
		attempt{"third", 0, 4, 1, wire.None, 4},
		attempt{"fourth", 0, 5, 1, wire.None, 5},
		attempt{"fifth", 0, 6, 1, wire.None, 6},
		attempt{"the first, as the fifth before the last", 0, 0, 3, wire.None, 0},
		attempt{"sixth", 0, 7, 1, wire.None, 7},
		attempt{"the second, still remembered", 0, 3, 1, wire.None, 3},
		attempt{"the first, remembered no more", 0, 0, 3, wire.OutOfOrderSequenceNumber, -1},
		attempt{"a new epoch that does not begin at 0", 1, 3, 1, wire.OutOfOrderSequenceNumber, -1},
		attempt{"a new epoch", 1, 0, 1, wire.None, 8},
		attempt{"the old epoch", 0, 8, 1, wire.InvalidProducerEpoch, -1},
		attempt{"the new epoch sent again", 1, 0, 1, wire.None, 8},
	)
	try(t, c, 999, attempt{"a producer the partition does not know, in the middle", 3, 77, 1, wire.None, 9})
	try(t, c, 999, attempt{"and its next", 3, 78, 1, wire.None, 10})
	consume(t, n, "orders", 0, 11)
}

// What a partition knows of producers outlives every kind of end of the process.
func TestIdempotentProducerAcrossEnds(t *testing.T) {
	disk := vfs.NewMem()
	n := startOn(t, disk, "/data")
	createTopic(t, n, "orders", 1)
	c := dial(t, n)
	try(t, c, 7, attempt{"first", 0, 0, 3, wire.None, 0}, attempt{"second", 0, 3, 2, wire.None, 3})
	check := func(t *testing.T, n *node.Node) {
		try(t, dial(t, n), 7,
			attempt{"the first again", 0, 0, 3, wire.None, 0},
			attempt{"the second again", 0, 3, 2, wire.None, 3},
			attempt{"a gap", 0, 9, 1, wire.OutOfOrderSequenceNumber, -1},
			attempt{"the next", 0, 5, 1, wire.None, 5},
		)
	}
	for i, mode := range vfs.CrashModes() {
		t.Run(fmt.Sprint(mode), func(t *testing.T) { check(t, startOn(t, disk.CrashClone(mode, uint64(i)), "/data")) })
	}
	t.Run("clean stop", func(t *testing.T) {
		stop(t, n)
		n := startOn(t, disk, "/data")
		check(t, n)
	})
}

func initProducerID(c *raw, version int16) (wire.Code, int64, int16) {
	q := kmsg.NewPtrInitProducerIDRequest()
	q.Version, q.TransactionTimeoutMillis = version, 1000
	r := c.ask(q).(*kmsg.InitProducerIDResponse)
	return wire.Code(r.ErrorCode), r.ProducerID, r.ProducerEpoch
}

// No producer id is given twice, before or after an end of any kind.
func TestProducerIDsAreGivenOnce(t *testing.T) {
	disk := vfs.NewMem()
	n := startOn(t, disk, "/data")
	seen := map[int64]bool{}
	take := func(t *testing.T, n *node.Node) {
		c := dial(t, n)
		for version := int16(0); version <= 5; version++ {
			for range 10 {
				code, id, epoch := initProducerID(c, version)
				if code != wire.None || id < 0 || epoch != 0 || seen[id] {
					t.Fatalf("version %d: %v, id %d (given before: %v), epoch %d", version, code, id, seen[id], epoch)
				}
				seen[id] = true
			}
		}
	}
	take(t, n)
	crashed := disk.CrashClone(vfs.LoseAll, 1)
	take(t, startOn(t, crashed, "/data"))
}

// A real client's idempotent producer over restarts of the node: every record once, in order.
func TestIdempotentClientAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	n := start(t, dir)
	createTopic(t, n, "orders", 1)
	address := n.Address()
	c := client(t, n, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	total := 0
	for range 3 {
		produce(t, c, "orders", total, total+50)
		total += 50
		stop(t, n)
		n = start(t, dir, "listeners=PLAINTEXT://"+address)
	}
	for i, r := range consume(t, n, "orders", 0, total) {
		if string(r.Value) != fmt.Sprintf("record %d", i) {
			t.Fatalf("offset %d holds %q", i, r.Value)
		}
	}
}

// What a producer may not ask for, and the answer it gets.
func TestProduceRefusals(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 1)
	c := dial(t, n)
	id := metadataOf(t, c, "orders").TopicID
	eventually(t, "the events' topic is there", func() bool { return askMetadata(c, 9, false, "__holdfast_events").Topics[0].ErrorCode == 0 })
	old := produceOf("orders", 0, -1, goodBatch(t))
	old.Version = 2
	null := produceOf("orders", 0, -1, nil)
	byID := produceOf("", 0, -1, goodBatch(t))
	byID.Version, byID.Topics[0].TopicID = 13, [16]byte{9}
	for _, tc := range []struct {
		what string
		q    *kmsg.ProduceRequest
		want wire.Code
	}{
		{"acks=2", produceOf("orders", 0, 2, goodBatch(t)), wire.InvalidRequiredAcks},
		{"acks=-2", produceOf("orders", 0, -2, goodBatch(t)), wire.InvalidRequiredAcks},
		{"no such topic", produceOf("nothing", 0, -1, goodBatch(t)), wire.UnknownTopicOrPartition},
		{"no such partition", produceOf("orders", 1, -1, goodBatch(t)), wire.UnknownTopicOrPartition},
		{"no such id", byID, wire.UnknownTopicID},
		{"version 2", old, wire.UnsupportedForMessageFormat},
		{"null records", null, wire.InvalidRecord},
		{"the events' topic", produceOf("__holdfast_events", 0, -1, goodBatch(t)), wire.InvalidTopicException},
	} {
		got := produced(c.ask(tc.q)).ErrorCode
		if got != int16(tc.want) {
			t.Errorf("%s: %v, want %v", tc.what, wire.Code(got), tc.want)
		}
	}
	for version := int16(3); version <= 13; version++ {
		q := produceOf("orders", 0, -1, goodBatch(t))
		q.Version, q.Topics[0].TopicID = version, id
		if p := produced(c.ask(q)); p.ErrorCode != 0 || p.BaseOffset != int64(version-3)*3 {
			t.Errorf("version %d: %v at %d", version, wire.Code(p.ErrorCode), p.BaseOffset)
		}
	}
}
