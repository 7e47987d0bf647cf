package cli

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// scratchFill is how much a scratch topic is filled with before it is read, unless --records says it.
const scratchFill = 1 << 30

func newBenchConsumeCommand(a *app) *cobra.Command {
	b := &bench{app: a, toTheEnd: true}
	cmd := b.command(&cobra.Command{
		Use:   "consume [TOPIC]",
		Short: "Measure how fast records can be read",
		Long: `Reads a topic from its beginning to its end, or for --duration, and reports throughput. A scratch topic is filled
first (1 GiB, or --records). Every consumer reads everything.`,
		Example: "  holdfast bench consume orders\n  holdfast bench consume --partitions 6 --consumers 2 --records 1000000 -o json",
	}, b.measureConsume)
	cmd.Flags().IntVar(&b.consumers, "consumers", 1, "number of consumers; each reads everything")
	return cmd
}

func (b *bench) measureConsume(ctx context.Context, c *client) (*benchReport, error) {
	if b.scratch {
		if err := b.fill(ctx); err != nil {
			return nil, err
		}
	}
	first, err := c.spans(ctx, b.topic, nil, position{way: "earliest"})
	if err != nil {
		return nil, err
	}
	var records, bytes atomic.Int64
	defer b.app.progress(func() string { return fmt.Sprintf("%s read", comma(records.Load())) })()
	m, err := startMeter(b.serverPIDs)
	if err != nil {
		return nil, err
	}
	reading := ctx
	if b.duration > 0 {
		var cancel context.CancelFunc
		reading, cancel = context.WithTimeout(ctx, b.duration)
		defer cancel()
	}
	group, reading := errgroup.WithContext(reading)
	for range max(1, b.consumers) {
		group.Go(func() error { return b.consumeAll(ctx, reading, first, &records, &bytes) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	r := &benchReport{
		Bench: "consume", Schedule: "max", Records: records.Load(), Bytes: bytes.Load(), Size: b.size,
		Partitions: len(first), Consumers: max(1, b.consumers), Codec: b.compression,
	}
	return r, m.stop(r, time.Now())
}

// consumeAll is one consumer; the end of reading is an end like any other.
func (b *bench) consumeAll(ctx, reading context.Context, first map[int32]*span, records, bytes *atomic.Int64) error {
	c, err := b.connect(ctx, kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer c.Close()
	own := map[int32]*span{}
	for p, s := range first {
		own[p] = &span{s.next, s.end}
	}
	r := &reader{client: c, topic: b.topic, spans: own, flush: func() error { return nil }}
	if b.records != unlimited && !b.scratch {
		r.left = b.records
	}
	r.print = func(rec *kgo.Record) error {
		records.Add(1)
		bytes.Add(int64(len(rec.Key) + len(rec.Value)))
		return nil
	}
	if err := r.read(reading); err != nil && (reading.Err() == nil || ctx.Err() != nil) {
		return err
	}
	return nil
}

// fill writes what is read afterwards.
func (b *bench) fill(ctx context.Context) error {
	filler := *b
	filler.duration, filler.warmup, filler.rate, filler.producers = 0, 0, 0, 1
	if filler.records == unlimited {
		filler.records = int64(max(1, scratchFill/b.size))
	}
	clients, closeAll, err := filler.producerClients(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	l := newLoad(&filler, false)
	defer b.app.progress(func() string { return fmt.Sprintf("filling: %s written", comma(l.acked.Load())) })()
	if err := l.run(ctx, clients); err != nil {
		return clients[0].explain(err, "fill the scratch topic")
	}
	if l.failed.Load() > 0 {
		return failed(nil, "", "could not fill the scratch topic: %s", l.firstErr)
	}
	return nil
}
