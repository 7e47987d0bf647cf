package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func newBenchProduceCommand(a *app) *cobra.Command {
	b := &bench{app: a}
	cmd := b.command(&cobra.Command{
		Use:   "produce [TOPIC]",
		Short: "Measure how fast records can be written",
		Long: `Writes records as fast as the client and the cluster can, or at --rate, and reports throughput and the latency of
acknowledgements.`,
		Example: "  holdfast bench produce --partitions 6 --size 1024 --duration 30s\n" +
			"  holdfast bench produce orders --rate 10000 --acks all --want-p99 20ms --server-pid 4711 -o json",
	}, b.measureProduce)
	cmd.Flags().Float64Var(&b.rate, "rate", 0, "records a second, of all producers together; 0 is as fast as possible")
	cmd.Flags().DurationVar(&b.warmup, "warmup", 0, "run this long before measuring")
	cmd.Flags().IntVar(&b.producers, "producers", 1, "number of producers, each with its own connections")
	return cmd
}

func (b *bench) measureProduce(ctx context.Context, c *client) (*benchReport, error) {
	details, err := c.topics(ctx, b.topic)
	if err != nil {
		return nil, err
	}
	clients, closeAll, err := b.producerClients(ctx)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	l := newLoad(b, false)
	defer b.app.progress(func() string { return fmt.Sprintf("%s acked", comma(l.acked.Load())) })()
	done := make(chan error, 1)
	go func() { done <- l.run(ctx, clients) }()
	m, err := l.meterAfterWarmup(ctx)
	if err != nil {
		return nil, err
	}
	if err := <-done; err != nil {
		return nil, c.explain(err, "finish the measurement")
	}
	r := &benchReport{Bench: "produce"}
	l.report(r, len(details[0].Partitions))
	return r, m.stop(r, l.end())
}

// producerClients opens a client for each producer.
func (b *bench) producerClients(ctx context.Context) ([]*client, func(), error) {
	var clients []*client
	closeAll := func() {
		for _, c := range clients {
			c.Close()
		}
	}
	for range max(1, b.producers) {
		c, err := b.connect(ctx)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		clients = append(clients, c)
	}
	return clients, closeAll, nil
}
