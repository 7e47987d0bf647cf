package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// load sends records with all its clients and times their acknowledgements.
//
// With a rate the schedule is open: record i is planned for the start + i/rate whatever became of those before it, and
// its latency counts from that moment, so that a broker that stalls delays every record planned meanwhile.
type load struct {
	work
	clients []*kgo.Client
	values  [][]byte

	total, failed atomic.Int64 // of all phases
	firstError    atomic.Pointer[string]
	phase         *phase
}

// phase is the warm-up, or what is measured.
type phase struct {
	began   time.Time
	until   time.Time // zero: no end in time
	records int64     // zero: no bound

	acked, bytes, last atomic.Int64
	latency            histogram
}

func (g *generator) newLoad() (*load, error) {
	l := &load{work: g.work, values: payloads(g.Text, g.Size)}
	for range max(g.Producers, 1) {
		cl, err := g.client(g.producerOptions()...)
		if err != nil {
			l.close()
			return nil, err
		}
		l.clients = append(l.clients, cl)
	}
	return l, nil
}

func (w work) producerOptions() []kgo.Opt {
	opts := []kgo.Opt{kgo.ProducerLinger(w.linger()), kgo.RecordDeliveryTimeout(5 * time.Minute)}
	switch w.Acks {
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(5))
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(5))
	}
	codec := kgo.NoCompression()
	switch w.Codec {
	case "lz4":
		codec = kgo.Lz4Compression()
	case "zstd":
		codec = kgo.ZstdCompression()
	}
	return append(opts, kgo.ProducerBatchCompression(codec))
}

func (l *load) close() {
	for _, cl := range l.clients {
		cl.Close()
	}
}

// produce is the work of a produce row.
func (g *generator) produce(ctx context.Context) (result, error) {
	l, err := g.newLoad()
	if err != nil {
		return result{}, err
	}
	defer l.close()
	if g.Warmup > 0 {
		if err := l.run(ctx, 0, g.warmup()); err != nil {
			return result{}, err
		}
	}
	if err := g.ready(); err != nil {
		return result{}, err
	}
	if err := l.run(ctx, g.Records, g.duration()); err != nil {
		return result{}, err
	}
	return g.produced(l), nil
}

func (g *generator) produced(l *load) result {
	p := l.phase
	r := result{
		Records: p.acked.Load(), Bytes: p.bytes.Load(), Total: l.total.Load(), Failed: l.failed.Load(),
		P50: p.latency.ms(0.5), P99: p.latency.ms(0.99), P999: p.latency.ms(0.999), Max: p.latency.ms(1),
	}
	if e := l.firstError.Load(); e != nil {
		r.Error = *e
	}
	g.stop(&r, p.began.Add(time.Duration(p.last.Load())))
	return r
}

// run is one phase: it ends when so many records, or this time, were used up and every outcome is known.
func (l *load) run(ctx context.Context, records int64, d time.Duration) error {
	p := &phase{began: time.Now(), records: records}
	if d > 0 {
		p.until = p.began.Add(d)
	}
	l.phase = p
	errs := make([]error, len(l.clients))
	var all sync.WaitGroup
	for i, cl := range l.clients {
		all.Go(func() {
			l.send(ctx, cl, p, i)
			errs[i] = cl.Flush(ctx)
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("flush: %w", err)
		}
	}
	return nil
}

// send produces one client's share of a phase: every record whose number is index modulo the number of clients.
func (l *load) send(ctx context.Context, cl *kgo.Client, p *phase, index int) {
	random := rand.New(rand.NewPCG(uint64(index), 1))
	clocked := l.Rate > 0 || !p.until.IsZero()
	for i := int64(index); (p.records == 0 || i < p.records) && ctx.Err() == nil; i += int64(len(l.clients)) {
		planned := p.began
		switch {
		case l.Rate > 0:
			planned = p.began.Add(time.Duration(float64(i) / l.Rate * float64(time.Second)))
			if wait := time.Until(planned); wait > 0 && pause(ctx, l.grain(wait)) != nil {
				return
			}
		case clocked && i%16 < int64(len(l.clients)): // the clock is not free
			planned = time.Now()
		}
		if clocked && !p.until.IsZero() && !planned.Before(p.until) {
			return
		}
		r := &kgo.Record{Topic: l.Topic, Value: l.values[int(i)%len(l.values)]}
		if l.Keys > 0 {
			r.Key = strconv.AppendInt([]byte("key-"), random.Int64N(int64(l.Keys)), 10)
		}
		cl.Produce(ctx, r, func(r *kgo.Record, err error) { l.done(p, r, planned, err) })
	}
}

// grain is how long to sleep for a record that is due after wait. Beside a linger of some ms the sleep is a whole
// millisecond, and what fell due meanwhile goes at once: 100,000 timers a second would measure the generator.
func (l *load) grain(wait time.Duration) time.Duration {
	if l.LingerMs > 0 {
		return max(wait, time.Millisecond)
	}
	return wait
}

func (l *load) done(p *phase, r *kgo.Record, planned time.Time, err error) {
	if err != nil {
		l.failed.Add(1)
		text := err.Error()
		l.firstError.CompareAndSwap(nil, &text)
		return
	}
	now := time.Now()
	if l.Rate > 0 {
		p.latency.add(now.Sub(planned))
	}
	l.total.Add(1)
	p.acked.Add(1)
	p.bytes.Add(int64(len(r.Key) + len(r.Value)))
	since := int64(now.Sub(p.began))
	for last := p.last.Load(); since > last && !p.last.CompareAndSwap(last, since); last = p.last.Load() {
	}
}

// payloads makes a few different values, so that making them costs nothing while the clock runs.
func payloads(text bool, size int) [][]byte {
	random := rand.New(rand.NewPCG(7, 2))
	list := make([][]byte, max(1, min(1024, (4<<20)/max(size, 1))))
	for i := range list {
		list[i] = make([]byte, size)
		for j := range list[i] {
			if text {
				list[i][j] = "aaaaeeeeiiiioouunnttrrssll  dhg"[random.IntN(31)]
			} else {
				list[i][j] = byte(random.Uint32())
			}
		}
	}
	return list
}
