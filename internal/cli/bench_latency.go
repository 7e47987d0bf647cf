package cli

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

func newBenchLatencyCommand(a *app) *cobra.Command {
	b := &bench{app: a}
	cmd := b.command(&cobra.Command{
		Use:   "latency [TOPIC]",
		Short: "Measure the time from a record's planned moment to its ack and to its consumer",
		Long: `Writes records at a fixed rate and reads them back in the same process, so that one clock times both ends.
Latency counts from the moment a record was planned for, not from when it could be sent: a stall of the cluster
delays all records planned meanwhile, and all of them are counted.`,
		Example: "  holdfast bench latency --rate 1000 --duration 30s\n" +
			"  holdfast bench latency orders --rate 10000 --acks all --want-p99 10ms -o json",
	}, b.measureLatency)
	cmd.Flags().Float64Var(&b.rate, "rate", 1000, "records a second, of all producers together")
	cmd.Flags().DurationVar(&b.warmup, "warmup", time.Second, "run this long before measuring")
	cmd.Flags().IntVar(&b.producers, "producers", 1, "number of producers, each with its own connections")
	if err := cmd.Flags().Lookup("linger").Value.Set("0s"); err == nil {
		cmd.Flags().Lookup("linger").DefValue = "0s"
	}
	return cmd
}

func (b *bench) measureLatency(ctx context.Context, c *client) (*benchReport, error) {
	if b.rate == 0 {
		return nil, usage("Use bench produce to send as fast as possible.", "a latency needs a --rate")
	}
	spans, err := c.spans(ctx, b.topic, nil, position{way: "latest"})
	if err != nil {
		return nil, err
	}
	clients, closeAll, err := b.producerClients(ctx)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	consumer, err := b.connect(ctx, kgo.FetchMinBytes(1))
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	from := map[int32]kgo.Offset{}
	for p, s := range spans {
		from[p] = kgo.NewOffset().At(s.next)
	}
	consumer.AddConsumePartitions(map[string]map[int32]kgo.Offset{b.topic: from})

	l := newLoad(b, true)
	defer b.app.progress(func() string { return fmt.Sprintf("%s acked", comma(l.acked.Load())) })()
	arrivals := &arrivals{load: l}
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	read := make(chan error, 1)
	go func() { read <- arrivals.collect(reading, consumer) }()
	sent := make(chan error, 1)
	go func() { sent <- l.run(ctx, clients) }()
	m, err := l.meterAfterWarmup(ctx)
	if err != nil {
		return nil, err
	}
	if err := <-sent; err != nil {
		return nil, c.explain(err, "finish the measurement")
	}
	if err := arrivals.await(ctx, l.acked.Load(), b.client.timeout, read); err != nil {
		return nil, err
	}
	r := &benchReport{Bench: "latency", EndToEnd: arrivals.latency.percentiles(), Consumers: 1}
	l.report(r, len(spans))
	return r, m.stop(r, l.end())
}

// arrivals times records where they are read.
type arrivals struct {
	load    *load
	counted atomic.Int64
	latency histogram
}

// collect reads until ctx ends; an error of the cluster ends it too.
func (a *arrivals) collect(ctx context.Context, c *client) error {
	for {
		fetches := c.PollFetches(ctx)
		now := time.Now()
		if ctx.Err() != nil {
			return nil
		}
		if errs := fetches.Errors(); len(errs) > 0 {
			return c.explain(errs[0].Err, "read the records back")
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if planned, ours := a.load.planned(r.Value); ours && !planned.Before(a.load.from) {
				a.latency.add(now.Sub(planned))
				a.counted.Add(1)
			}
		})
	}
}

// await waits until every acked record has arrived.
func (a *arrivals) await(ctx context.Context, acked int64, limit time.Duration, read <-chan error) error {
	deadline := time.Now().Add(limit)
	for a.counted.Load() < acked {
		select {
		case err := <-read:
			return err
		default:
		}
		if time.Now().After(deadline) {
			return &Problem{Code: exitViolation, What: fmt.Sprintf("%s acked, and only %s arrived within %s", plural(acked, "record"), comma(a.counted.Load()), limit)}
		}
		if !pause(ctx, time.Millisecond) {
			return failed(ctx.Err(), "", "interrupted")
		}
	}
	return nil
}
