package cli

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// A value begins with a stamp where latency is measured: 8 bytes that tell this measurement from others, and 8 bytes of
// the record's planned time, in nanoseconds of the monotonic clock since the begin.
const stampSize = 16

// load sends records and times their acknowledgements.
//
// With a rate the schedule is open: record i is planned for start + i/rate whatever became of those before it, and its
// latency counts from that moment. A cluster that stalls so delays every record planned meanwhile, as it would in life;
// counting from the moment of sending would hide all but one of them.
type load struct {
	bench    *bench
	stamped  bool // each value begins with a stamp
	begin    time.Time
	from     time.Time // records planned before are warm-up, and not counted
	until    time.Time // zero: no end in time
	sent     atomic.Int64
	acked    atomic.Int64
	bytes    atomic.Int64
	failed   atomic.Int64
	lastAck  atomic.Int64 // Unix nanoseconds
	ack      histogram
	errOnce  sync.Once
	firstErr string
}

func newLoad(b *bench, stamped bool) *load {
	now := time.Now()
	l := &load{bench: b, stamped: stamped, begin: now, from: now.Add(b.warmup)}
	if b.duration > 0 {
		l.until = l.from.Add(b.duration)
	}
	return l
}

// run sends with all producers until the records or the time are used up, and waits for the last outcome.
func (l *load) run(ctx context.Context, clients []*client) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, c := range clients {
		group.Go(func() error {
			l.produce(ctx, c, i, len(clients))
			return c.Flush(ctx)
		})
	}
	return group.Wait()
}

// produce sends this producer's share: every step-th record, beginning with the index-th.
func (l *load) produce(ctx context.Context, c *client, index, step int) {
	values := payloads(l.bench.payload, l.bench.size, uint64(index))
	random := rand.New(rand.NewPCG(uint64(index), 1))
	for i := int64(index); i < l.bench.records && ctx.Err() == nil; i += int64(step) {
		planned, ok := l.next(ctx, i)
		if !ok {
			return
		}
		if !l.until.IsZero() && !planned.Before(l.until) {
			return
		}
		r := &kgo.Record{Topic: l.bench.topic, Value: values[int(i)%len(values)]}
		if l.stamped {
			r.Value = append([]byte(nil), r.Value...)
			binary.BigEndian.PutUint64(r.Value, uint64(l.begin.UnixNano()))
			binary.BigEndian.PutUint64(r.Value[8:], uint64(planned.Sub(l.begin)))
		}
		if l.bench.keys > 0 {
			r.Key = strconv.AppendInt([]byte("key-"), random.Int64N(int64(l.bench.keys)), 10)
		}
		l.sent.Add(1)
		c.Produce(ctx, r, func(r *kgo.Record, err error) { l.done(r, planned, err) })
	}
}

// next waits for the planned time of record i; false means that ctx ended first.
func (l *load) next(ctx context.Context, i int64) (time.Time, bool) {
	if l.bench.rate == 0 {
		return time.Now(), true
	}
	planned := l.begin.Add(time.Duration(float64(i) / l.bench.rate * float64(time.Second)))
	wait := time.Until(planned)
	return planned, wait <= 0 || pause(ctx, wait)
}

// planned returns the planned time of a stamped record, or false if it belongs to somebody else.
func (l *load) planned(value []byte) (time.Time, bool) {
	if len(value) < stampSize || binary.BigEndian.Uint64(value) != uint64(l.begin.UnixNano()) {
		return time.Time{}, false
	}
	return l.begin.Add(time.Duration(binary.BigEndian.Uint64(value[8:]))), true
}

func (l *load) done(r *kgo.Record, planned time.Time, err error) {
	now := time.Now()
	if err != nil {
		l.failed.Add(1)
		l.errOnce.Do(func() { l.firstErr = kafkaError(err) })
		return
	}
	if planned.Before(l.from) {
		return
	}
	l.ack.add(now.Sub(planned))
	l.acked.Add(1)
	l.bytes.Add(int64(len(r.Key) + len(r.Value)))
	for ns := now.UnixNano(); ; {
		last := l.lastAck.Load()
		if last >= ns || l.lastAck.CompareAndSwap(last, ns) {
			return
		}
	}
}

// report fills the figures of r that the load counted.
func (l *load) report(r *benchReport, partitions int) {
	b := l.bench
	r.Records, r.Bytes, r.Failed, r.Ack = l.acked.Load(), l.bytes.Load(), l.failed.Load(), l.ack.percentiles()
	r.Size, r.Partitions, r.Producers, r.Acks = b.size, partitions, b.producers, b.settings["acks"]
	r.Linger, r.Codec, r.firstError = ms(b.linger), b.compression, l.firstErr
	r.Schedule = "max"
	if b.rate > 0 {
		r.Schedule = "open"
	}
}

// end is when the last counted record was acked.
func (l *load) end() time.Time {
	if ns := l.lastAck.Load(); ns > 0 {
		return time.Unix(0, ns)
	}
	return time.Now()
}

// meterAfterWarmup starts the meter when the warm-up is over.
func (l *load) meterAfterWarmup(ctx context.Context) (*meter, error) {
	if wait := time.Until(l.from); wait > 0 {
		pause(ctx, wait)
	}
	return startMeter(l.bench.serverPIDs)
}

// pause waits; false means that ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// payloads makes a few different values, so that making them costs nothing while the clock runs.
func payloads(kind string, size int, seed uint64) [][]byte {
	random := rand.New(rand.NewPCG(seed, 2))
	list := make([][]byte, max(1, min(1024, (4<<20)/size)))
	for i := range list {
		list[i] = make([]byte, size)
		for j := range list[i] {
			switch kind {
			case "random":
				list[i][j] = byte(random.Uint32())
			case "text":
				list[i][j] = "aaaaeeeeiiiioouunnttrrssll  dhg"[random.IntN(31)]
			}
		}
	}
	return list
}
