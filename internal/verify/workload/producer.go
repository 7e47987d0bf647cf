package workload

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"holdfast/internal/verify/check"
)

// RetriesMax lets a record be tried until its delivery timeout ends.
const RetriesMax = math.MaxInt

// Settings are what a producer is told to do.
type Settings struct {
	Topic      string
	Partitions int32

	Acks            int16 // -1 (all), 1 or 0
	Idempotent      bool  // with acks=all only
	Retries         int   // tries after the first, or RetriesMax
	DeliveryTimeout time.Duration
	Linger          time.Duration
	Codec           string // none, gzip, snappy, lz4, zstd

	Rate float64 // records a second of this producer; 0 is as fast as the cluster takes them
	Size int     // bytes of a value, at least HeaderSize
	Keys int     // number of different keys; 0 sends without keys, to the partitions in turn
}

// Opener makes a client of the cluster. dial opens its connections where it is not nil.
type Opener func(wrap func(Dial) Dial, extra ...kgo.Opt) (*kgo.Client, error)

// Producer sends records at a rate until its context ends.
type Producer struct {
	settings Settings
	judge    *Judge
	number   int32
	client   *kgo.Client
	witness  *Witness
	pulse    *Pulse
	next     []int64              // sequence by partition; owned by Run
	random   *rand.Rand           // owned by Run
	keyed    kgo.TopicPartitioner // owned by Run
}

// NewProducer opens a producer. Its acknowledgements are noted in pulse.
func NewProducer(name string, s Settings, open Opener, j *Judge, pulse *Pulse, seed uint64) (*Producer, error) {
	w := NewWitness()
	client, err := open(w.Watch, append(s.options(), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return nil, err
	}
	p := &Producer{
		settings: s, judge: j, client: client, witness: w, pulse: pulse,
		next: make([]int64, s.Partitions), random: rand.New(rand.NewPCG(seed, 3)),
		keyed: kgo.StickyKeyPartitioner(nil).ForTopic(s.Topic),
	}
	j.Tell(func(c *check.Checker) {
		p.number = c.AddProducer(check.Producer{Name: name, Acks: s.Acks, Idempotent: s.Idempotent})
	})
	return p, nil
}

// options are the client library's words for the settings.
func (s Settings) options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.ProducerLinger(s.Linger),
		kgo.RecordDeliveryTimeout(s.DeliveryTimeout),
		kgo.ProducerBatchCompression(Codec(s.Codec)),
		kgo.MaxBufferedRecords(max(1000, int(s.Rate*2))),
	}
	switch s.Acks {
	case 0:
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()))
	case 1:
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()))
	default:
		opts = append(opts, kgo.RequiredAcks(kgo.AllISRAcks()))
	}
	if s.Retries != RetriesMax {
		opts = append(opts, kgo.RecordRetries(s.Retries))
	}
	if s.Idempotent {
		return append(opts, kgo.AllowIdempotentProduceCancellation()) // or the delivery timeout would not hold
	}
	return append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1)) // one keeps the order
}

// Codec is the compression that a client's compression.type names; none for a name it does not know.
func Codec(name string) kgo.CompressionCodec {
	switch name {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

// Run sends until ctx ends. Records that are on their way then are not waited for: Close does.
func (p *Producer) Run(ctx context.Context) {
	begin := time.Now()
	for i := int64(0); ctx.Err() == nil; i++ {
		if p.settings.Rate > 0 && !until(ctx, begin.Add(time.Duration(float64(i)/p.settings.Rate*float64(time.Second)))) {
			return
		}
		p.send(i)
	}
}

// send hands one record to the client. It blocks while the client's buffer is full.
func (p *Producer) send(i int64) {
	r := &kgo.Record{Topic: p.settings.Topic, Timestamp: time.Now()}
	if p.settings.Keys > 0 {
		r.Key = strconv.AppendInt([]byte("key-"), p.random.Int64N(int64(p.settings.Keys)), 10)
		r.Partition = int32(p.keyed.Partition(r, int(p.settings.Partitions)))
	} else {
		r.Partition = int32(i % int64(p.settings.Partitions))
	}
	op := check.Op{Producer: p.number, Partition: r.Partition, Seq: p.next[r.Partition]}
	p.next[r.Partition]++
	payload := Payload{Run: p.judge.run, Producer: op.Producer, Partition: op.Partition, Seq: op.Seq, Time: r.Timestamp}
	r.Value = payload.Append(nil, p.settings.Size)
	since := p.witness.Now()
	p.judge.Tell(func(c *check.Checker) { c.Attempt(op) })
	// A context of its own would end the record with the run, and leave most outcomes unknown: they are awaited.
	p.client.Produce(context.Background(), r, func(r *kgo.Record, err error) { p.outcome(op, since, r, err) })
}

// outcome is called by the client, once a record.
func (p *Producer) outcome(op check.Op, since uint64, r *kgo.Record, err error) {
	result, offset := check.Acked, r.Offset
	switch {
	case err != nil:
		result, offset = p.witness.Result(op.Partition, since), check.NoOffset
		p.pulse.failed(err)
	case p.settings.Acks == 0:
		offset = check.NoOffset // nobody said one
		p.pulse.acked(op.Partition)
	default:
		p.pulse.acked(op.Partition)
	}
	p.judge.Tell(func(c *check.Checker) { c.Outcome(op, result, offset) })
}

// Close waits for the outcome of every record, at most limit long; those without one by then end as unknown. It returns
// how many those were. Run must have returned.
func (p *Producer) Close(limit time.Duration) (left int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	defer p.client.Close()
	if p.client.Flush(ctx) == nil {
		return 0, nil
	}
	left = p.client.BufferedProduceRecords()
	abort, stop := context.WithTimeout(context.Background(), limit)
	defer stop()
	if err := p.client.AbortBufferedRecords(abort); err != nil {
		return left, fmt.Errorf("end the records without an outcome: %w", err)
	}
	return left, nil
}

// until waits for a moment; false means that ctx ended first.
func until(ctx context.Context, t time.Time) bool {
	wait := time.Until(t)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
