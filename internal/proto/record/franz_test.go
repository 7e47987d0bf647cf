package record

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

const franzTopic = "t"

// franz starts a fake broker with one topic of one partition, and a client of it.
func franz(t *testing.T, opts ...kgo.Opt) (*kfake.Cluster, *kgo.Client, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, franzTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic(franzTopic))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return cluster, client, ctx
}

// What a franz-go client sends over the wire passes every rule, and holds what it was given.
func TestFranzProducerIsAccepted(t *testing.T) {
	for codec, c := range map[Codec]kgo.CompressionCodec{
		None: kgo.NoCompression(), Gzip: kgo.GzipCompression(), Snappy: kgo.SnappyCompression(),
		LZ4: kgo.Lz4Compression(), Zstd: kgo.ZstdCompression(),
	} {
		cluster, client, ctx := franz(t, kgo.ProducerBatchCompression(c), kgo.ProducerLinger(50*time.Millisecond))
		var mu sync.Mutex
		var sent []Batch
		cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			mu.Lock()
			defer mu.Unlock()
			for _, topic := range req.(*kmsg.ProduceRequest).Topics {
				for _, p := range topic.Partitions {
					sent = append(sent, slices.Clone(p.Records))
				}
			}
			return nil, nil, false
		})
		var want []*kgo.Record
		for i := range 300 {
			want = append(want, &kgo.Record{
				Key: []byte{byte(i)}, Value: bytes.Repeat([]byte("value"), i%20), Timestamp: time.UnixMilli(nowMs + int64(i)),
				Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{1}}, {Key: "null"}},
			})
		}
		if err := client.ProduceSync(ctx, want...).FirstErr(); err != nil {
			t.Fatalf("%v: %v", codec, err)
		}
		mu.Lock()
		defer mu.Unlock()
		n := 0
		for _, raw := range sent {
			b, err := Single(raw)
			if err != nil {
				t.Fatalf("%v: %v", codec, err)
			}
			r := defaults()
			r.Full, r.Compacted, r.BeforeMaxMs = true, true, 1000
			if b, err = r.Prepare(b); err != nil {
				t.Fatalf("%v: %v", codec, err)
			}
			if b.ProducerID() < 0 || b.BaseSequence() != int32(n) || b.Codec() != codec {
				t.Errorf("%v: producer %d, sequence %d, codec %v", codec, b.ProducerID(), b.BaseSequence(), b.Codec())
			}
			for rec := range b.Records(nil) {
				w := want[n]
				if !bytes.Equal(rec.Key, w.Key) || !bytes.Equal(rec.Value, w.Value) || b.Timestamp(rec) != w.Timestamp.UnixMilli() ||
					len(rec.Headers) != 2 || string(rec.Headers[0].Key) != "h" || rec.Headers[1].Value != nil {
					t.Fatalf("%v: record %d is %+v", codec, n, rec)
				}
				n++
			}
		}
		if n != len(want) {
			t.Errorf("%v: %d records of %d", codec, n, len(want))
		}
	}
}

// What we build a franz-go client consumes.
func TestFranzConsumerReadsOurBatches(t *testing.T) {
	_, client, ctx := franz(t, kgo.MaxVersions(kversion.V2_8_0()), // topics by name
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{franzTopic: {0: kgo.NewOffset().AtStart()}}))
	var want []Record
	for c := None; c <= Zstd; c++ {
		b := sample(t, BuilderOptions{Codec: c}, 300)
		want = append(want, records(t, b)...)
		req := kmsg.NewPtrProduceRequest()
		req.Acks, req.TimeoutMillis = -1, 5000
		req.Topics = []kmsg.ProduceRequestTopic{{Topic: franzTopic, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: b}}}}
		resp, err := req.RequestWith(ctx, client)
		if err != nil {
			t.Fatal(err)
		}
		if err := kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode); err != nil {
			t.Fatalf("%v: %v", c, err)
		}
	}
	for n := 0; n < len(want); {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for it := fetches.RecordIter(); !it.Done(); n++ {
			got, w := it.Next(), want[n]
			if got.Offset != int64(n) || !bytes.Equal(got.Key, w.Key) || (got.Key == nil) != (w.Key == nil) ||
				!bytes.Equal(got.Value, w.Value) || got.Timestamp.UnixMilli() != nowMs+w.TimestampDelta || len(got.Headers) != 2 {
				t.Fatalf("record %d came as %+v, not %+v", n, got, w)
			}
		}
	}
}
