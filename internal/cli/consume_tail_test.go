package cli

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/record"
)

// emptyBatch is what compaction leaves where all records of a batch are gone.
func emptyBatch(from, to int64) []byte {
	b := record.NewBuilder(record.BuilderOptions{})
	if err := b.Append(1, nil, nil); err != nil {
		panic(err)
	}
	batch := b.Build()[:record.HeaderSize]
	put := func(at int, v uint32) {
		batch[at], batch[at+1], batch[at+2], batch[at+3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
	}
	batch.SetBaseOffset(from)
	put(8, record.HeaderSize-12) // length
	put(23, uint32(to-from))     // last offset delta
	put(57, 0)                   // count
	batch.SetLogAppendTime(1)    // makes the checksum anew
	return batch
}

func TestAfterEmptyBatches(t *testing.T) {
	full := batchOf(t, 20, record.None, "x")
	for _, c := range []struct {
		what string
		b    []byte
		from int64
		want int64
	}{
		{"nothing", nil, 7, 7},
		{"an empty batch", emptyBatch(5, 9), 7, 10},
		{"two", append(emptyBatch(5, 9), emptyBatch(10, 19)...), 7, 20},
		{"a record behind", append(emptyBatch(5, 19), full...), 7, 20},
		{"a record at once", full, 20, 20},
		{"all before", emptyBatch(0, 3), 7, 7},
		{"cut short", emptyBatch(5, 9)[:40], 7, 7},
	} {
		if got := afterEmptyBatches(c.b, c.from); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
}

// consume comes to its end where the last offsets have no records, which the client library does not tell.
func TestConsumeEndsBehindEmptyBatches(t *testing.T) {
	cluster := fakeCluster(t, kfake.SeedTopics(1, "t"))
	cluster.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := r.(*kmsg.ListOffsetsRequest)
		if req.Topics[0].Partitions[0].Timestamp != -1 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		topic, part := kmsg.NewListOffsetsResponseTopic(), kmsg.NewListOffsetsResponseTopicPartition()
		topic.Topic, part.Offset, part.LeaderEpoch = "t", 10, 0
		topic.Partitions = append(topic.Partitions, part)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := r.(*kmsg.FetchRequest)
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		if len(req.Topics) == 0 {
			return resp, nil, true
		}
		topic, part := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
		topic.Topic, topic.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
		part.HighWatermark, part.LastStableOffset = 10, 10
		if req.Topics[0].Partitions[0].FetchOffset < 10 {
			part.RecordBatches = emptyBatch(0, 9)
		}
		topic.Partitions = append(topic.Partitions, part)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	r := holdfast(t, brokersOf(cluster), "", "consume", "t").want(t, exitDone)
	if r.out != "" {
		t.Errorf("read %q", r.out)
	}
}
