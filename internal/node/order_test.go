package node_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/node"
	"holdfast/internal/proto/wire"
	"holdfast/internal/storage/vfs"
)

// logEnd is the end of a partition's log, committed or not.
func logEnd(t *testing.T, r *raw, topic string) int64 {
	t.Helper()
	q := kmsg.NewPtrOffsetForLeaderEpochRequest()
	q.Version = 4
	qt, qp := kmsg.NewOffsetForLeaderEpochRequestTopic(), kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	qp.LeaderEpoch = leaderEpoch(t, r, topic)
	qt.Topic, qt.Partitions = topic, append(qt.Partitions, qp)
	q.Topics = append(q.Topics, qt)
	return r.ask(q).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0].EndOffset
}

func leaderEpoch(t *testing.T, r *raw, topic string) int32 {
	t.Helper()
	return metadataOf(t, r, topic).Partitions[0].LeaderEpoch
}

func metadataOf(t *testing.T, r *raw, topic string) kmsg.MetadataResponseTopic {
	t.Helper()
	q := kmsg.NewPtrMetadataRequest()
	q.Version = 12
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = &topic
	q.Topics = append(q.Topics, mt)
	got := r.ask(q).(*kmsg.MetadataResponse).Topics[0]
	if got.ErrorCode != 0 {
		t.Fatalf("topic %s: %v", topic, wire.Code(got.ErrorCode))
	}
	return got
}

// eventually asks until it holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// While an acks=all produce waits for its commit the requests behind it are carried out, and all are answered in order.
func TestAnswersKeepTheirOrderWhileAProduceWaits(t *testing.T) {
	disk := newHeldDisk()
	n := startOn(t, disk, t.TempDir())
	createTopic(t, n, "orders", 1)
	first, second := produceOf("orders", 0, -1, goodBatch(t)), produceOf("orders", 0, -1, goodBatch(t))
	metadata, fetch := kmsg.NewPtrMetadataRequest(), fetchOf(11, 0, 0, at{topic: "orders"})
	metadata.Version = 9

	release := disk.hold(t)
	c := dial(t, n)
	c.post(1, first)
	c.post(2, metadata)
	c.post(3, fetch)
	c.post(4, second)
	witness := dial(t, n)
	eventually(t, "both batches are appended while the first waits", func() bool { return logEnd(t, witness, "orders") == 6 })
	c.silent(50 * time.Millisecond)
	release()

	if p := produced(c.answer(1, first)); p.ErrorCode != 0 || p.BaseOffset != 0 {
		t.Errorf("first produce: %v at %d", wire.Code(p.ErrorCode), p.BaseOffset)
	}
	c.answer(2, metadata)
	if p := fetched(c.answer(3, fetch))[at{topic: "orders"}]; p.HighWatermark != 0 || len(p.RecordBatches) > 0 {
		t.Errorf("the fetch saw %d bytes below high watermark %d, though nothing was committed when it came", len(p.RecordBatches), p.HighWatermark)
	}
	if p := produced(c.answer(4, second)); p.ErrorCode != 0 || p.BaseOffset != 3 {
		t.Errorf("second produce: %v at %d", wire.Code(p.ErrorCode), p.BaseOffset)
	}
}

// acks=1 is answered after the append and acks=0 never, whatever the disk does.
func TestOnlyAcksAllWaitsForTheSync(t *testing.T) {
	disk := newHeldDisk()
	n := startOn(t, disk, t.TempDir())
	createTopic(t, n, "orders", 1)
	release := disk.hold(t)
	defer release()
	c := dial(t, n)
	if p := produced(c.ask(produceOf("orders", 0, 1, goodBatch(t)))); p.ErrorCode != 0 || p.BaseOffset != 0 {
		t.Errorf("acks=1: %v at %d", wire.Code(p.ErrorCode), p.BaseOffset)
	}
	c.post(1, produceOf("orders", 0, 0, goodBatch(t)))
	if end := logEnd(t, c, "orders"); end != 6 {
		t.Errorf("after acks=0 the log ends at %d, want 6", end)
	}
}

func TestProduceTimesOut(t *testing.T) {
	disk := newHeldDisk()
	n := startOn(t, disk, t.TempDir())
	createTopic(t, n, "orders", 1)
	release := disk.hold(t)
	q := produceOf("orders", 0, -1, goodBatch(t))
	c := dial(t, n)
	for _, q.TimeoutMillis = range []int32{30, 0, -5} {
		if p := produced(c.ask(q)); p.ErrorCode != int16(wire.RequestTimedOut) {
			t.Errorf("time-out %d ms: answered %v, want REQUEST_TIMED_OUT", q.TimeoutMillis, wire.Code(p.ErrorCode))
		}
	}
	release()
	consume(t, n, "orders", 0, 9) // timed out is not undone
}

// A refused acks=0 request can only be told by closing; what was asked before it is answered first.
func TestRefusedAcksNoneClosesTheConnection(t *testing.T) {
	disk := newHeldDisk()
	n := startOn(t, disk, t.TempDir())
	createTopic(t, n, "orders", 1)
	c := dial(t, n)
	c.post(1, produceOf("orders", 7, 0, goodBatch(t)))
	c.closed("acks=0 to a partition that is not there")

	release := disk.hold(t)
	c = dial(t, n)
	waiting := produceOf("orders", 0, -1, goodBatch(t))
	c.post(1, waiting)
	c.post(2, produceOf("orders", 7, 0, goodBatch(t)))
	c.silent(30 * time.Millisecond)
	release()
	if p := produced(c.answer(1, waiting)); p.ErrorCode != 0 {
		t.Errorf("the produce before it: %v", wire.Code(p.ErrorCode))
	}
	c.closed("acks=0 behind a waiting produce")
}

// A clean stop answers what was read, also what waits for the disk, and more of it than a connection may queue.
func TestStopAnswersWhatWaits(t *testing.T) {
	const requests = 100
	disk := newHeldDisk()
	n := startOn(t, disk, t.TempDir())
	createTopic(t, n, "orders", 1)
	release := disk.hold(t)
	c, q := dial(t, n), produceOf("orders", 0, -1, goodBatch(t))
	for i := range int32(requests) {
		c.post(i, q)
	}
	witness := dial(t, n)
	eventually(t, "most requests are read", func() bool { return logEnd(t, witness, "orders") > 60*3 })
	stopped := make(chan error, 1)
	go func() { stopped <- n.Stop(context.Background()) }()
	eventually(t, "the port is closed", func() bool { return refused(n) })
	release()
	answered := int32(0)
	for ; answered < requests; answered++ {
		frame, err := c.next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("after %d answers neither an answer nor the end came", answered)
		}
		if err != nil {
			break
		}
		if got := int32(binary.BigEndian.Uint32(frame)); got != answered {
			t.Fatalf("answer %d came, want %d", got, answered)
		}
	}
	if answered < 60 {
		t.Errorf("%d of more than 60 requests that were read and appended were answered", answered)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A client that takes nothing of its answer does not hold up the stop.
func TestStopDoesNotWaitForWhoTakesNothing(t *testing.T) {
	n := launch(t, vfs.OS(), t.TempDir())
	createTopic(t, n, "large", 1)
	c := dial(t, n)
	for range 40 {
		if p := produced(c.ask(produceOf("large", 0, 1, batchOf(t, 30_000, -1, 0, 0)))); p.ErrorCode != 0 {
			t.Fatal(wire.Code(p.ErrorCode))
		}
	}
	q := fetchOf(11, 1, 1000, at{topic: "large", max: 50 << 20})
	c.ask(q)
	for i := range int32(5) {
		c.post(i, q) // far more than sockets hold
	}
	eventually(t, "an answer is on its way", func() bool {
		_, page := get(t, n, "/metrics")
		return !strings.Contains(page, "\nholdfast_memory_used_bytes 0\n")
	})
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
}

func refused(n *node.Node) bool {
	c, err := net.Dial("tcp", n.Address())
	if err == nil {
		c.Close()
	}
	return err != nil
}
